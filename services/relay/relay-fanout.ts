import type { Clock } from '../shared/clock.ts';
import type { TransportName } from '../shared/protocol/transport-name.ts';
import type { Topic } from '../shared/update/topic.ts';
import type { Update } from '../shared/update/update.ts';
import { type OriginBudget, spreadMs } from './cluster/origin-budget.ts';
import type { FlushPosition } from './hub/flushes.ts';
import type { Fanout } from './hub/hub.ts';
import type { Transport } from './transport/transport.ts';

/** The delivery of one update by one transport. Times are by the monotonic clock. */
export interface TransportDelivery {
  readonly transport: TransportName;
  readonly clients: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

/** Events of the fan-out, for telemetry. */
export interface FanoutReport {
  /** An update was delivered within `ms` milliseconds; `deliveries` has the transports with a subscriber, in order. */
  fannedOut(update: Update, deliveries: readonly TransportDelivery[], ms: number): void;
}

/** Delivers to all clients of this relay, one transport after the other, and decides how they spread their refetch. */
export class RelayFanout implements Fanout {
  readonly #transports: ReadonlyMap<TransportName, Transport>;
  readonly #sessions: { pace(since: FlushPosition, windowMs: number): void };
  readonly #connections: { readonly own: () => number; readonly cluster: () => number };
  readonly #originBudget: OriginBudget;
  readonly #maxSpreadMs: number;
  readonly #report: FanoutReport;
  readonly #clock: Clock;
  readonly #freshnessChanged: (fresh: boolean) => void;

  /**
   * @param deps.connections number of connections of this relay, and of all relays
   * @param deps.freshnessChanged called after the clients were notified that this relay has become fresh or stale
   */
  constructor(deps: {
    transports: ReadonlyMap<TransportName, Transport>;
    sessions: { pace(since: FlushPosition, windowMs: number): void };
    connections: { own: () => number; cluster: () => number };
    originBudget: OriginBudget;
    maxSpreadMs: number;
    report: FanoutReport;
    clock: Clock;
    freshnessChanged: (fresh: boolean) => void;
  }) {
    this.#transports = deps.transports;
    this.#sessions = deps.sessions;
    this.#connections = deps.connections;
    this.#originBudget = deps.originBudget;
    this.#maxSpreadMs = deps.maxSpreadMs;
    this.#report = deps.report;
    this.#clock = deps.clock;
    this.#freshnessChanged = deps.freshnessChanged;
  }

  deliver(update: Update, paced: boolean): number {
    const deliveries: TransportDelivery[] = [];
    const startedAtMs = this.#clock.monotonicMs();
    let beganAtMs = startedAtMs;
    let total = 0;
    for (const [name, transport] of this.#transports) {
      const clients = transport.deliver(update, paced);
      if (clients === 0) continue;
      const endedAtMs = this.#clock.monotonicMs();
      deliveries.push({ transport: name, clients, beganAtMs, endedAtMs });
      beganAtMs = endedAtMs;
      total += clients;
    }
    this.#report.fannedOut(update, deliveries, beganAtMs - startedAtMs);
    return total;
  }

  sendFreshness(fresh: boolean): void {
    for (const transport of this.#transports.values()) transport.sendFreshness(fresh);
    this.#freshnessChanged(fresh);
  }

  pace(since: FlushPosition, windowMs: number): void {
    this.#sessions.pace(since, windowMs);
  }

  spreadMs(topic: Topic, subscribers: number): number {
    return spreadMs({
      perSecond: this.#originBudget(topic),
      subscribers,
      connections: this.#connections.own(),
      clusterConnections: this.#connections.cluster(),
      maxMs: this.#maxSpreadMs,
    });
  }
}
