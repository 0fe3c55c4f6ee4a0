import { BlockList } from 'node:net';
import { createConnector } from '../../services/client/connector.ts';
import type { Connection, ConnectionOptions, Source } from '../../services/client/transport.ts';
import { ConnectionAdmission } from '../../services/relay/access/admission.ts';
import { Origins } from '../../services/relay/access/origins.ts';
import { Rebalancer } from '../../services/relay/cluster/rebalancer.ts';
import { RelayRegistryView } from '../../services/relay/cluster/relay-registry-view.ts';
import { drain, shed } from '../../services/relay/drain.ts';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import type { Clock } from '../../services/shared/clock.ts';
import { AppError } from '../../services/shared/errors.ts';
import { createClientAddressReader } from '../../services/shared/http/client-address.ts';
import { REBALANCING } from '../../services/shared/protocol/close-codes.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { SeededRandom } from './seeded-random.ts';
import { installVirtualGlobals } from './virtual-globals.ts';

/** The settings of k8s/base/relay, in milliseconds, and the default of REBALANCE. */
const MIN_READY_MS = 35_000;
const DRAIN_WAIT_MS = 5000;
const DRAIN_WINDOW_MS = 30_000;
const PER_SECOND = 50;

const ABNORMAL = 1006;

/** How the load balancer picks a relay: at random as kube-proxy does, or the one with the fewest connections. */
export type Balancing = 'random' | 'leastconn';

/** The part of a relay that decides how many clients it has, composed as in `relay.ts`. */
class RolloutRelay {
  readonly sessions = new Set<{
    readonly connection: { readonly transport: 'websocket' };
    close: ConnectionOptions['closed'];
  }>();
  /** Whether the load balancer sends clients to it. */
  isReady = true;
  readonly #admission: ConnectionAdmission;
  readonly #rebalancer: Rebalancer;
  readonly #cluster: RelayRegistryView;
  readonly #clock: Clock;

  constructor(deps: { id: string; clock: Clock; broker: MemoryBroker; perSecond: number }) {
    const { id, clock, broker, perSecond } = deps;
    this.#clock = clock;
    this.#rebalancer = new Rebalancer({
      perSecond,
      clock,
      shed: (count) => shed({ sessions: this.sessions, clock, count }),
    });
    this.#admission = new ConnectionAdmission({
      limits: { maxConnections: 0, maxConnectionsPerAddress: 0, connectionPointsPerSecond: 0 },
      origins: new Origins({ allowed: [], sameHostOnly: false, allowMissing: true }),
      readAddress: createClientAddressReader(new BlockList()),
      evictionPool: { canEvict: false, evict() {} },
      isAllowedHost: () => true,
      isFresh: () => true,
      isAboveShare: () => this.#rebalancer.isAboveShare,
      nowMs: () => clock.monotonicMs(),
    });
    this.#cluster = new RelayRegistryView({
      id,
      registry: broker,
      clock,
      load: () => ({ connections: this.#admission.connections, shed: this.#rebalancer.shed }),
      freshnessMs: 6000,
      exchanged: (view) => this.#rebalancer.evaluate(view),
    });
    this.#cluster.start();
  }

  get connections(): number {
    return this.#admission.connections;
  }

  /**
   * Admits a client. Returns a function that closes its connection from the client's side.
   * @throws {AppError} the reason for the refusal
   */
  connect(triesLeft: number, closed: ConnectionOptions['closed']): () => void {
    const key = this.#admission.admit(
      { address: '', forwardedFor: '', origin: '', host: 'relay', triesLeft },
      'websocket',
      1,
    );
    const end = () => {
      if (this.sessions.delete(session)) this.#admission.release(key);
    };
    const session = {
      connection: { transport: 'websocket' as const },
      close(code: number, reason: string) {
        end();
        closed(code, reason);
      },
    };
    this.sessions.add(session);
    return end;
  }

  /** Shuts down as at SIGTERM. */
  async stop(): Promise<void> {
    this.isReady = false;
    this.#rebalancer.drain();
    this.#cluster.drain();
    await new Promise<void>((resolve) => this.#clock.after(DRAIN_WAIT_MS, resolve));
    this.#admission.drain();
    await drain({ sessions: this.sessions, clock: this.#clock, windowMs: DRAIN_WINDOW_MS });
    await this.#cluster.stop();
  }
}

/** A cluster whose relays are replaced one by one, with clients behind a load balancer. Only connections, no updates. */
export class Rollout {
  readonly #time = new VirtualTime();
  readonly #random: SeededRandom;
  readonly #clock: Clock;
  readonly #broker = new MemoryBroker({ nowMs: () => this.#time.nowMs });
  readonly #balancing: Balancing;
  readonly #perSecond: number;
  readonly #clients: Source[] = [];
  #relays: RolloutRelay[] = [];
  #started = 0;
  #admitted = 0;
  #refused = 0;

  /** @param deps.perSecond the setting REBALANCE */
  constructor(deps: { seed: number; balancing: Balancing; perSecond?: number }) {
    this.#random = new SeededRandom(deps.seed);
    this.#clock = this.#time.clock(() => this.#random.next());
    this.#balancing = deps.balancing;
    this.#perSecond = deps.perSecond ?? PER_SECOND;
  }

  get #unevenness(): number {
    const loads = this.#relays.map(({ connections }) => connections);
    const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
    return Math.max(...loads.map((load) => Math.abs(load / mean - 1)));
  }

  /**
   * Replaces every relay of a cluster, and observes it for `afterMs` longer.
   * @returns the moves and refusals per client in all of that time, and then the greatest difference of a relay's connections
   *   to the mean, as a part of the mean
   */
  async run(options: {
    relays: number;
    clientsPerRelay: number;
    library: boolean;
    afterMs: number;
  }): Promise<{ moves: number; refusals: number; unevenness: number }> {
    const { relays, clientsPerRelay, library, afterMs } = options;
    const clients = relays * clientsPerRelay;
    const uninstall = installVirtualGlobals(this.#time, this.#random, () => Promise.reject());
    try {
      for (let n = 0; n < relays; n += 1) this.#startRelay();
      // Settled and even, as in a cluster that has run for long.
      for (let n = 0; n < clients; n += 1) this.#addClient(library, this.#relays[n % relays]);
      await this.#time.runFor(300_000);
      const [admitted, refused] = [this.#admitted, this.#refused];
      for (const old of [...this.#relays]) {
        this.#startRelay();
        await this.#time.runFor(MIN_READY_MS);
        void old.stop();
        this.#relays = this.#relays.filter((relay) => relay !== old);
      }
      await this.#time.runFor(DRAIN_WAIT_MS + DRAIN_WINDOW_MS + afterMs);
      return {
        moves: (this.#admitted - admitted) / clients,
        refusals: (this.#refused - refused) / clients,
        unevenness: this.#unevenness,
      };
    } finally {
      for (const client of this.#clients) client.close();
      uninstall();
    }
  }

  #startRelay(): void {
    this.#started += 1;
    const [clock, broker, perSecond] = [this.#clock, this.#broker, this.#perSecond];
    this.#relays.push(new RolloutRelay({ id: `relay-${this.#started}`, clock, broker, perSecond }));
  }

  /** Adds a client, whose first connection leads to the given relay. */
  #addClient(library: boolean, first: RolloutRelay | undefined): void {
    let place = first;
    const open = (options: ConnectionOptions) => {
      const connection = this.#open(options, place);
      place = undefined;
      return connection;
    };
    if (!library) {
      this.#connectPlain(open);
      return;
    }
    const topics = new Map([['chat', null]]);
    const client = createConnector({ url: '', open, topics, message() {}, status() {} });
    this.#clients.push(client);
    client.connect();
  }

  /** A client without the library, which announces no tries and connects again when the relay asks it to. */
  #connectPlain(open: (options: ConnectionOptions) => Connection): void {
    open({
      url: '',
      topics: new Map(),
      triesLeft: 0,
      message() {},
      closed: (_, reason) => void this.#clock.after(Number(reason), () => this.#connectPlain(open)),
    });
  }

  #open({ triesLeft, message, closed }: ConnectionOptions, place: RolloutRelay | undefined): Connection {
    let end: (() => void) | undefined;
    let isClosed = false;
    this.#clock.after(this.#random.between(1, 30), () => {
      if (isClosed) return;
      try {
        end = (place ?? this.#pick()).connect(triesLeft, closed);
        this.#admitted += 1;
        message({ type: 'subscribed', topics: { chat: 1 } });
      } catch (error) {
        const isRefused = error instanceof AppError && error.code === 'rebalancing';
        if (isRefused) this.#refused += 1;
        closed(isRefused ? REBALANCING : ABNORMAL, '');
      }
    });
    return {
      subscribe() {},
      unsubscribe() {},
      ping: () => queueMicrotask(() => message({ type: 'pong' })),
      close() {
        isClosed = true;
        end?.();
      },
    };
  }

  #pick(): RolloutRelay {
    if (this.#balancing === 'random') return this.#random.pick(this.#relays);
    const fewest = Math.min(...this.#relays.map(({ connections }) => connections));
    return this.#random.pick(this.#relays.filter(({ connections }) => connections === fewest));
  }
}
