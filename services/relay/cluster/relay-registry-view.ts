import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { RelayLoad, RelayRegistry } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/clock.ts';

/** Interval at which a relay registers its load and reads the others', and so the maximum age of the view. */
export const EXCHANGE_INTERVAL_MS = 2000;

/** A registration outlives the freshness of its relay: these are its minimum and the intervals of repair, plus an exchange. */
const MIN_REGISTRATION_MS = 10_000;

/** The share of an interval by which it varies. */
const JITTER = 0.1;

/** Interval while the broker is unavailable: it may come back empty, and then needs every relay's load soon. */
const RETRY_INTERVAL_MS = 200;

/**
 * Creates the id of a relay: host (in Kubernetes the pod), process id, and a random part, because a restarted container
 * has the same host and process id.
 */
export function createRelayId(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
}

/** The cluster as one relay sees it, without relays that shut down. */
export interface ClusterView {
  readonly relays: number;
  /** Connections of these relays. */
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
  readonly #ttlMs: number;
  #others = { relays: 0, connections: 0, drainingConnections: 0 };
  #draining = false;
  #timer: Timer | undefined;
  #stopped = false;

  /**
   * @param deps.id unique in the cluster
   * @param deps.connections returns the number of this relay's connections
   * @param deps.freshnessMs for how long this relay stays fresh without a digest
   * @param deps.exchanged called after each successful exchange, with the new view
   */
  constructor(deps: {
    id: string;
    registry: RelayRegistry;
    clock: Clock;
    connections: () => number;
    freshnessMs: number;
    exchanged: (view: ClusterView) => void;
  }) {
    this.#id = deps.id;
    this.#registry = deps.registry;
    this.#clock = deps.clock;
    this.#connections = deps.connections;
    this.#exchanged = deps.exchanged;
    this.#ttlMs = Math.ceil(Math.max(MIN_REGISTRATION_MS, deps.freshnessMs) + EXCHANGE_INTERVAL_MS * (1 + JITTER));
  }

  /** Connections in the cluster, those of relays that shut down included. */
  get connections(): number {
    return this.#others.connections + this.#others.drainingConnections + this.#connections();
  }

  start(): void {
    void this.#exchange();
  }

  /** Registers that this relay shuts down. It stays registered until `stop`, because its clients still need updates. */
  drain(): void {
    this.#draining = true;
    if (!this.#timer || this.#stopped) return; // an exchange is in progress, and another one follows
    this.#timer.cancel();
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
    this.#timer = undefined;
    const draining = this.#draining;
    let intervalMs = EXCHANGE_INTERVAL_MS;
    try {
      const own: RelayLoad = { connections: this.#connections(), ...(draining && { draining }), ttlMs: this.#ttlMs };
      const all = await this.#registry.exchangeLoad(this.#id, own);
      if (this.#stopped) return void (await this.#registry.exchangeLoad(this.#id, undefined));
      this.#learn(all, own);
    } catch {
      // The last view is the best estimate while the broker is unavailable.
      intervalMs = RETRY_INTERVAL_MS;
    }
    if (this.#stopped) return;
    const jittered = intervalMs * (1 - JITTER + 2 * JITTER * this.#clock.random());
    const delayMs = this.#draining === draining ? jittered : 0;
    this.#timer = this.#clock.after(delayMs, () => void this.#exchange());
  }

  #learn(all: readonly RelayLoad[], { connections: registered, draining: isDraining }: RelayLoad): void {
    const sum = (loads: readonly RelayLoad[]) => loads.reduce((total, { connections }) => total + connections, 0);
    const draining = all.filter((load) => load.draining);
    const active = all.filter((load) => !load.draining);
    this.#others = {
      relays: Math.max(0, active.length - (isDraining ? 0 : 1)),
      connections: Math.max(0, sum(active) - (isDraining ? 0 : registered)),
      drainingConnections: Math.max(0, sum(draining) - (isDraining ? registered : 0)),
    };
    if (this.#draining) return;
    const own = this.#connections();
    this.#exchanged({ relays: this.#others.relays + 1, connections: this.#others.connections + own, own });
  }
}
