import { AUDIT_INTERVAL_MS } from '../../services/relay/hub/repair.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import { createSimulatedCluster, REAL_SETTINGS } from './create-simulated-cluster.ts';
import { EventSourceClient } from './event-source-client.ts';
import { LegacyClient } from './legacy-client.ts';
import { LibraryClient } from './library-client.ts';
import { LoadBalancer } from './load-balancer.ts';
import { Page } from './page.ts';
import { ReceiptMonitor } from './receipt-monitor.ts';
import type { Sabotage } from './sabotage.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedApp } from './simulated-app.ts';
import type { SimulatedCluster } from './simulated-broker.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { SimulatedPublisher } from './simulated-publisher.ts';
import { SimulatedRelay } from './simulated-relay.ts';
import { createToken, PRIVATE_TOPICS } from './simulated-tokens.ts';
import { SimulatedWebhook } from './simulated-webhook.ts';
import { Trace } from './trace.ts';
import { WebsocketClient } from './websocket-client.ts';

/** Kinds of clients, by library, transport, and how they resume. Repeated ones are more frequent. */
const KINDS = [
  'library',
  'library',
  'library',
  'rendered',
  'greeting',
  'message',
  'none',
  'event-source',
  'legacy',
] as const;
type Kind = (typeof KINDS)[number];
const TOPICS = ['chat', 'news', 'a:1', 'a:2', 'b/x', 'default'] as Topic[];
/** The range of a token's life, in milliseconds. */
const TOKEN_LIFE_MS = [2000, 40_000] as const;
const PARTITIONS = 3;
const RELAYS = 3;
const WEBHOOKS = 2;
/** In some runs: single topics may only fall silent there, as that is noticed by an audit alone. */
export const SHORT_AUDIT_INTERVAL_MS = 6000;

/** A cluster in one process: Redis servers, relays, webhooks, the app that publishes and the clients that subscribe. */
export class Simulation {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly app = new SimulatedApp();
  readonly cluster: SimulatedCluster;
  readonly relays: SimulatedRelay[] = [];
  readonly webhooks: SimulatedWebhook[] = [];
  readonly publisher: SimulatedPublisher;
  readonly clients = new Set<SimulatedClient>();
  readonly receipts = new ReceiptMonitor(this);
  readonly topics: readonly Topic[] = TOPICS;
  /** The global `fetch` of all pages. Each page uses a host name of its own. */
  readonly fetch: typeof fetch = (input, init) =>
    (this.#fetches.get(new URL(String(input)).hostname) ?? Promise.reject)(input, init);
  /** Whether pages get tokens for private topics. */
  givesTokens = true;
  /** The time of the last fault of a Redis server. */
  redisFaultAtMs = 0;
  /** The time at which the clock of a Redis server last stepped. */
  clockSteppedAtMs = 0;
  readonly #sabotage: Sabotage | undefined;
  readonly #fetches = new Map<string, typeof fetch>();
  /** The number of names of each kind. */
  readonly #named = new Map<string, number>();

  constructor(deps: { seed: number; time: VirtualTime; sabotage?: Sabotage | undefined }) {
    const { time } = deps;
    this.time = time;
    this.random = new SeededRandom(deps.seed);
    this.#sabotage = deps.sabotage;
    this.trace = new Trace(() => time.nowMs);
    const { random, trace, app } = this;
    this.cluster = createSimulatedCluster({
      clock: time.clock(),
      random: random.fork('cluster'),
      partitions: PARTITIONS,
      shards: random.integer(1, 2),
      // Some runs use limits that they reach: digests that cover seconds and few topics, and `data` that soon expires.
      settings: {
        ...REAL_SETTINGS,
        sabotage: this.#sabotage,
        ...(random.chance(0.5) && {
          recentWindowUs: random.integer(4, 30) * 1_000_000,
          digestLimit: random.integer(1, 3),
        }),
        ...(random.chance(0.5) && { dataTtlMs: random.integer(1000, 10_000) }),
      },
      auditIntervalMs: random.chance(0.3) ? SHORT_AUDIT_INTERVAL_MS : AUDIT_INTERVAL_MS,
      log: (what) => trace.log(what),
    });
    this.publisher = new SimulatedPublisher({
      app,
      clock: time.clock(),
      random: random.fork('publisher'),
      trace,
      webhooks: () => this.webhooks,
      delivered: (...report) => this.receipts.delivered(...report),
    });
    for (let place = 0; place < RELAYS; place += 1) this.startRelay(place);
    for (let place = 0; place < WEBHOOKS; place += 1) this.startWebhook(place);
  }

  /**
   * Starts a relay in a slot that has none, or a dead one.
   * @param partitions if it is started with another setting than the cluster
   */
  startRelay(place: number, partitions?: number): void {
    const { cluster, time } = this;
    const process = this.#createProcess('relay');
    const relay = new SimulatedRelay({
      process,
      cluster,
      time,
      random: this.random.fork(`${process.name}/connections`),
      trace: this.trace,
      sabotage: this.#sabotage,
      partitions,
    });
    this.relays[place] = relay;
    this.trace.log(`${process.name} starts`);
    relay.start();
  }

  /** Starts a webhook in a slot that has none, or a dead one. */
  startWebhook(place: number): void {
    const process = this.#createProcess('webhook');
    const webhook = new SimulatedWebhook({
      process,
      cluster: this.cluster,
      nowMs: () => this.time.nowMs,
      sabotage: this.#sabotage,
    });
    this.webhooks[place] = webhook;
    this.trace.log(`${process.name} starts`);
    webhook.start();
  }

  /** Adds a client of a random kind. */
  addClient(choice: SeededRandom): void {
    const { app, time, topics } = this;
    const kind = choice.pick(KINDS);
    const hasTokens = kind === 'library' || kind === 'rendered';
    const some = choice.some(hasTokens ? topics : topics.filter((topic) => !PRIVATE_TOPICS.has(topic)), 0.4);
    const name = this.#name(kind);
    const random = this.random.fork(name);
    const clock = time.clock(() => random.next());
    const shared = {
      name,
      redisFaultAtMs: () => this.redisFaultAtMs,
      app,
      page: new Page({ app, log: (what) => this.trace.log(`${name} ${what}`) }),
      random,
      loadBalancer: new LoadBalancer({ clock, random, relays: () => this.relays }),
      clock,
    };
    this.trace.log(`${name} subscribes to ${kind === 'legacy' ? some[0] : some}`);
    this.clients.add(this.#createClient(kind, shared, some));
  }

  #createClient(
    kind: Kind,
    shared: ConstructorParameters<typeof LegacyClient>[0] extends infer Deps
      ? Omit<Deps, 'topic' | 'sendsSince'>
      : never,
    topics: readonly Topic[],
  ): SimulatedClient {
    const { random } = shared;
    const ready = ({ name, fetch }: LibraryClient) => void this.#fetches.set(name, fetch);
    switch (kind) {
      case 'library':
      case 'rendered': {
        const transport = random.pick(['websocket', 'websocket', 'sse', 'longpoll'] as const);
        const token = async () => {
          if (!this.givesTokens) throw new Error('the app gives no tokens');
          return createToken(this.time.nowMs + random.between(...TOKEN_LIFE_MS));
        };
        return new LibraryClient({ ...shared, topics, transport, token, rendered: kind === 'rendered', ready });
      }
      case 'event-source':
        return new EventSourceClient({ ...shared, topics });
      case 'legacy':
        return new LegacyClient({ ...shared, topic: topics[0] as Topic, sendsSince: random.chance(0.5) });
      default:
        return new WebsocketClient({ ...shared, topics, resume: kind });
    }
  }

  #createProcess(kind: string): SimulatedProcess {
    const name = this.#name(kind);
    return new SimulatedProcess({ name, time: this.time, random: this.random.fork(name) });
  }

  #name(kind: string): string {
    const number = (this.#named.get(kind) ?? 0) + 1;
    this.#named.set(kind, number);
    return `${kind}-${number}`;
  }
}
