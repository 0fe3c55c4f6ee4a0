import type { Topic } from '../../services/shared/update/topic.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import { createSimulatedCluster, REAL_SETTINGS } from './create-simulated-cluster.ts';
import { Entrance } from './entrance.ts';
import { EventSourceClient } from './event-source-client.ts';
import { LibraryClient } from './library-client.ts';
import { OldClient } from './old-client.ts';
import { Page } from './page.ts';
import { PlainClient } from './plain-client.ts';
import type { Sabotage } from './sabotage.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedApp } from './simulated-app.ts';
import type { SimulatedCluster } from './simulated-broker.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { SimulatedPublisher } from './simulated-publisher.ts';
import { SimulatedRelay } from './simulated-relay.ts';
import { SimulatedWebhook } from './simulated-webhook.ts';
import { Trace } from './trace.ts';

/** Clients, by what they say when they come back. */
const KINDS = ['library', 'library', 'library', 'rendered', 'greeting', 'message', 'none', 'stream', 'old'] as const;
type Kind = (typeof KINDS)[number];
const TOPICS = ['chat', 'news', 'a:1', 'a:2', 'b/x', 'default'] as Topic[];
const PARTITIONS = 3;
const RELAYS = 3;
const WEBHOOKS = 2;

/** A whole cluster in one process: servers, relays, webhooks, the app behind them and the clients before them. */
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
  readonly topics: readonly Topic[] = TOPICS;
  /** `fetch` as pages have it: each asks under a host name of its own. */
  readonly fetch: typeof fetch = (input, init) =>
    (this.#fetches.get(new URL(String(input)).hostname) ?? Promise.reject)(input, init);
  /** When something last happened to a Redis server. */
  disturbedAtMs = 0;
  readonly #sabotage: Sabotage | undefined;
  readonly #entrance: Entrance;
  readonly #fetches = new Map<string, typeof fetch>();
  #named = 0;

  constructor(deps: { seed: number; time: VirtualTime; sabotage?: Sabotage | undefined }) {
    const { time } = deps;
    this.time = time;
    this.random = new SeededRandom(deps.seed);
    this.#sabotage = deps.sabotage;
    this.trace = new Trace(() => time.nowMs);
    const { random, trace, app } = this;
    const clock = time.clock(() => random.next());
    this.cluster = createSimulatedCluster({
      clock,
      random,
      partitions: PARTITIONS,
      shards: random.integer(1, 2),
      // In some runs digests reach back for seconds only and hold a few topics, so that both limits are met.
      settings: random.chance(0.5)
        ? REAL_SETTINGS
        : { ...REAL_SETTINGS, reachUs: random.integer(4, 30) * 1_000_000, digestLimit: random.integer(1, 3) },
      note: (what) => trace.note(what),
    });
    this.#entrance = new Entrance({ clock, random, relays: () => this.relays });
    this.publisher = new SimulatedPublisher({ app, clock, random, trace, webhooks: () => this.webhooks });
    for (let place = 0; place < RELAYS; place += 1) this.startRelay(place);
    for (let place = 0; place < WEBHOOKS; place += 1) this.startWebhook(place);
  }

  /** Starts a relay in a place where none is, or none any more. */
  startRelay(place: number): void {
    const { cluster, random, time } = this;
    const process = this.#createProcess('relay');
    const relay = new SimulatedRelay({
      process,
      cluster,
      time,
      random,
      trace: this.trace,
      sabotage: this.#sabotage,
    });
    this.relays[place] = relay;
    this.trace.note(`${process.name} starts`);
    relay.start();
  }

  /** Starts a webhook in a place where none is, or none any more. */
  startWebhook(place: number): void {
    const process = this.#createProcess('webhook');
    const webhook = new SimulatedWebhook({ process, cluster: this.cluster, nowMs: () => this.time.nowMs });
    this.webhooks[place] = webhook;
    this.trace.note(`${process.name} starts`);
    webhook.start();
  }

  /** A client of some kind comes. */
  addClient(): void {
    const { random, app, time, topics } = this;
    const shared = {
      disturbedAtMs: () => this.disturbedAtMs,
      app,
      random,
      entrance: this.#entrance,
      clock: time.clock(() => random.next()),
    };
    const some = random.some(topics, 0.4);
    const kind = random.integer(0, KINDS.length - 1);
    const name = this.#name(KINDS[kind] ?? '');
    const page = new Page({ app, note: (what) => this.trace.note(`${name} ${what}`) });
    this.trace.note(`${name} comes for ${KINDS[kind] === 'old' ? some[0] : some}`);
    this.clients.add(this.#createClient(KINDS[kind] ?? 'old', { ...shared, name, page }, some));
  }

  #createClient(
    kind: Kind,
    shared: ConstructorParameters<typeof OldClient>[0] extends infer Deps ? Omit<Deps, 'topic' | 'saysSince'> : never,
    topics: readonly Topic[],
  ): SimulatedClient {
    const { random } = this;
    const ready = ({ name, fetch }: LibraryClient) => void this.#fetches.set(name, fetch);
    switch (kind) {
      case 'library':
      case 'rendered': {
        const transport = random.pick(['websocket', 'websocket', 'sse', 'longpoll'] as const);
        return new LibraryClient({ ...shared, topics, transport, rendered: kind === 'rendered', ready });
      }
      case 'stream':
        return new EventSourceClient({ ...shared, topics });
      case 'old':
        return new OldClient({ ...shared, topic: topics[0] as Topic, saysSince: random.chance(0.5) });
      default:
        return new PlainClient({ ...shared, topics, resume: kind });
    }
  }

  #createProcess(kind: string): SimulatedProcess {
    return new SimulatedProcess({ name: this.#name(kind), time: this.time, random: this.random });
  }

  #name(kind: string): string {
    this.#named += 1;
    return `${kind}-${this.#named}`;
  }
}
