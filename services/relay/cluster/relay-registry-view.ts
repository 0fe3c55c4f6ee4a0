import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { RelayLoad, RelayRegistry } from '../../shared/broker/broker.ts';
import { EXCHANGE_JITTER, exchangeIntervalMs } from '../../shared/broker/retention.ts';
import type { Clock, Timer } from '../../shared/clock.ts';

/** A registration outlives the freshness of its relay: these are its minimum and the intervals of repair, plus an exchange. */
const MIN_REGISTRATION_MS = 10_000;

/** Part of the interval by which an exchange may be earlier in order to go with other calls. */
const EARLY = 0.25;

/** Interval while the broker is unavailable: it may come back empty, and then needs every relay's load soon. */
const RETRY_INTERVAL_MS = 200;

/** The cluster counts as settled this long after a relay joined or left: longer than a rollout takes from relay to relay. */
export const SETTLED_AFTER_MS = 120_000;

/**
 * Creates the id of a relay: host (in Kubernetes the pod), process id, and a random part, because a restarted container
 * has the same host and process id.
 */
export function createRelayId(): string {
  return `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
}

/** The cluster as one relay sees it at an exchange. Relays that drain are left out. */
export interface ClusterView {
  /** Time until the next exchange, in milliseconds, apart from its variation. */
  readonly intervalMs: number;
  /** Connections of this relay. */
  readonly own: number;
  /** Connections of each other relay. */
  readonly others: readonly number[];
  /** Connections that all of them have closed to rebalance the cluster. */
  readonly shed: number;
  /** Whether no relay has joined, left or begun to drain within the last minutes. */
  readonly isSettled: boolean;
}

/** This relay's view of the relay registry: the relays of the cluster and their connections, itself included. */
export class RelayRegistryView {
  readonly #id: string;
  readonly #registry: RelayRegistry;
  readonly #clock: Clock;
  readonly #load: () => { readonly connections: number; readonly shed: number };
  readonly #exchanged: (view: ClusterView) => void;
  readonly #freshnessMs: number;
  /** The number of other relays, of those that do not drain, and the connections of all other relays. */
  #others = { all: 0, active: 0, connections: 0 };
  #startedAtMs = 0;
  #changedAtMs = 0;
  #draining = false;
  #timer: Timer | undefined;
  /** When it ends, in milliseconds of the monotonic clock. */
  #dueAtMs = 0;
  #stopped = false;

  /**
   * @param deps.id unique in the cluster
   * @param deps.load returns the number of this relay's connections, and of those that it has closed to rebalance the cluster
   * @param deps.freshnessMs for how long this relay stays fresh without a digest
   * @param deps.exchanged called after each successful exchange, with the new view
   */
  constructor(deps: {
    id: string;
    registry: RelayRegistry;
    clock: Clock;
    load: () => { readonly connections: number; readonly shed: number };
    freshnessMs: number;
    exchanged: (view: ClusterView) => void;
  }) {
    this.#id = deps.id;
    this.#registry = deps.registry;
    this.#clock = deps.clock;
    this.#load = deps.load;
    this.#exchanged = deps.exchanged;
    this.#freshnessMs = Math.max(MIN_REGISTRATION_MS, deps.freshnessMs);
  }

  /** Connections in the cluster, those of relays that shut down included. */
  get connections(): number {
    return this.#others.connections + this.#load().connections;
  }

  start(): void {
    this.#startedAtMs = this.#changedAtMs = this.#clock.monotonicMs();
    void this.#exchange();
  }

  /** Exchanges now if the next exchange is nearly due, since other calls are being sent: alone it costs the broker more. */
  exchangeEarly(): void {
    const leftMs = this.#dueAtMs - this.#clock.monotonicMs();
    if (this.#timer && leftMs <= EARLY * this.#intervalMs) this.#exchangeNow();
  }

  /** Registers that this relay shuts down. It stays registered until `stop`, because its clients still need updates. */
  drain(): void {
    this.#draining = true;
    if (this.#timer) this.#exchangeNow(); // else an exchange is in progress, and another one follows
  }

  /** Removes this relay from the registry. Idempotent; never rejects. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#registry.exchangeLoad(this.#id, undefined).catch(() => {}); // the entry expires by itself
  }

  get #intervalMs(): number {
    return exchangeIntervalMs(1 + this.#others.all);
  }

  #exchangeNow(): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    void this.#exchange();
  }

  async #exchange(): Promise<void> {
    this.#timer = undefined;
    const draining = this.#draining;
    // Decided before the exchange, by the relays known from the last one: the entry must outlive it.
    let intervalMs = this.#intervalMs;
    try {
      const own = this.#ownEntry();
      const ttlMs = Math.ceil(this.#freshnessMs + intervalMs * (1 + EXCHANGE_JITTER));
      const all = await this.#registry.exchangeLoad(this.#id, { ...own, ttlMs });
      if (this.#stopped) return void (await this.#registry.exchangeLoad(this.#id, undefined));
      this.#learn(all, own, intervalMs);
    } catch {
      // The last view is the best estimate while the broker is unavailable.
      intervalMs = RETRY_INTERVAL_MS;
    }
    if (this.#stopped) return;
    const jittered = intervalMs * (1 - EXCHANGE_JITTER + 2 * EXCHANGE_JITTER * this.#clock.random());
    const delayMs = this.#draining === draining ? jittered : 0;
    this.#dueAtMs = this.#clock.monotonicMs() + delayMs;
    this.#timer = this.#clock.after(delayMs, () => void this.#exchange());
  }

  #ownEntry(): RelayLoad {
    const { connections, shed } = this.#load();
    const isNew = this.#clock.monotonicMs() - this.#startedAtMs < SETTLED_AFTER_MS;
    return {
      connections,
      ...(this.#draining && { draining: true }),
      ...(isNew && { isNew }),
      ...(shed > 0 && { shed }),
    };
  }

  #learn(all: readonly RelayLoad[], own: RelayLoad, intervalMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const others = withoutOne(all.flatMap(toSingleRelays), own);
    const active = others.filter(({ draining }) => !draining);
    if (all.some(({ draining }) => draining) || active.length !== this.#others.active) this.#changedAtMs = nowMs;
    this.#others = {
      all: others.length,
      active: active.length,
      connections: others.reduce((sum, { connections }) => sum + connections, 0),
    };
    if (this.#draining) return;
    this.#exchanged({
      intervalMs,
      own: own.connections,
      others: active.map(({ connections }) => connections),
      shed: all.filter(({ draining }) => !draining).reduce((sum, { shed = 0 }) => sum + shed, 0),
      isSettled: !all.some(({ isNew }) => isNew) && nowMs - this.#changedAtMs >= SETTLED_AFTER_MS,
    });
  }
}

type SingleRelay = Pick<RelayLoad, 'connections' | 'draining'>;

function toSingleRelays({ relays = 1, connections, draining = false }: RelayLoad): readonly SingleRelay[] {
  return new Array(relays).fill({ connections, draining });
}

/** Returns the entries without the one that is nearest to `own`: they have no id, and equal ones are interchangeable. */
function withoutOne(all: readonly SingleRelay[], own: RelayLoad): readonly SingleRelay[] {
  // A relay that has just begun to drain may still be listed as before.
  const distance = ({ connections, draining }: SingleRelay) =>
    Math.abs(connections - own.connections) + (draining === (own.draining ?? false) ? 0 : Number.MAX_SAFE_INTEGER);
  const nearest = all.reduce((best, each, i) => (distance(each) < distance(all[best] as SingleRelay) ? i : best), 0);
  return all.filter((_, i) => i !== nearest);
}
