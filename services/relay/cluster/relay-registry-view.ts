import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { RelayLoad, RelayRegistry } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/clock.ts';

/** Interval at which a relay registers its load and reads the others', and so the maximum age of the view. */
export const EXCHANGE_INTERVAL_MS = 2000;

/** Interval while the broker is unavailable: it may come back empty, and then needs every relay's load soon. */
const RETRY_INTERVAL_MS = 200;

/**
 * Creates the id of a relay: host (in Kubernetes the pod), process id, and a random part, because a restarted container
 * has the same host and process id.
 */
export function createRelayId(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
}

/** The cluster as one relay sees it. */
export interface ClusterView {
  readonly relays: number;
  /** Connections of all relays. */
  readonly connections: number;
  /** Connections of this relay. */
  readonly own: number;
}

/** This relay's view of the relay registry: the number of relays and of connections in the cluster, itself included. */
export class RelayRegistryView {
  readonly #id: string;
  readonly #registry: RelayRegistry;
  readonly #clock: Clock;
  readonly #connections: () => number;
  readonly #exchanged: (view: ClusterView) => void;
  #others: { readonly relays: number; readonly connections: number } = { relays: 0, connections: 0 };
  #timer: Timer | undefined;
  #stopped = false;

  /**
   * @param deps.id unique in the cluster
   * @param deps.connections returns the number of this relay's connections
   * @param deps.exchanged called after each successful exchange, with the new view
   */
  constructor(deps: {
    id: string;
    registry: RelayRegistry;
    clock: Clock;
    connections: () => number;
    exchanged: (view: ClusterView) => void;
  }) {
    this.#id = deps.id;
    this.#registry = deps.registry;
    this.#clock = deps.clock;
    this.#connections = deps.connections;
    this.#exchanged = deps.exchanged;
  }

  /** Relays in the cluster. */
  get relays(): number {
    return this.#others.relays + 1;
  }

  /** Connections in the cluster. */
  get connections(): number {
    return this.#others.connections + this.#connections();
  }

  start(): void {
    void this.#exchange();
  }

  /** Removes this relay from the registry. Idempotent; never rejects. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#registry.exchangeLoad(this.#id, undefined).catch(() => {}); // the entry expires by itself
  }

  async #exchange(): Promise<void> {
    let intervalMs = EXCHANGE_INTERVAL_MS;
    try {
      const own: RelayLoad = { connections: this.#connections() };
      const all = await this.#registry.exchangeLoad(this.#id, own);
      if (this.#stopped) return void (await this.#registry.exchangeLoad(this.#id, undefined));
      const connections = all.reduce((sum, load) => sum + load.connections, 0) - own.connections;
      this.#others = { relays: Math.max(0, all.length - 1), connections: Math.max(0, connections) };
      this.#exchanged({ relays: this.relays, connections: this.connections, own: this.#connections() });
    } catch {
      // The last view is the best estimate while the broker is unavailable.
      intervalMs = RETRY_INTERVAL_MS;
    }
    if (this.#stopped) return;
    const jittered = intervalMs * (0.9 + 0.2 * this.#clock.random());
    this.#timer = this.#clock.after(jittered, () => void this.#exchange());
  }
}
