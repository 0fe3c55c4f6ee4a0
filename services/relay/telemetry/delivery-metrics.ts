import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../shared/clock.ts';
import type { Delivery } from '../hub/hub.ts';

/** Buckets of a relay's histograms, in seconds. */
export const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Measures deliveries to clients: how many, how late, and which clients fall behind. */
export class DeliveryMetrics {
  readonly #clock: Clock;
  readonly #registers: Registry[];
  readonly #deliveries: Counter;
  readonly #paced: Counter;
  readonly #latency: Histogram;
  readonly #fanout: Histogram;
  readonly #conflated: Counter;
  readonly #dataDropped: Counter;
  readonly #spread: Gauge;
  readonly #behind: Gauge;
  readonly #fellBehind: Counter;

  constructor(deps: { registry: Registry; clock: Clock }) {
    const registers = [deps.registry];
    this.#clock = deps.clock;
    this.#registers = registers;
    this.#deliveries = new Counter({
      name: 'relay_deliveries_total',
      help: 'Updates delivered to clients: one for each update and client, including updates sent on reconnection. Panel "Deliveries"',
      registers,
    });
    this.#paced = new Counter({
      name: 'relay_deliveries_paced_total',
      help: 'Deliveries that were spread over time on purpose, to clients that cannot spread their refetch. Panel "Deliveries and conflated updates"',
      registers,
    });
    this.#latency = new Histogram({
      name: 'relay_delivery_latency_seconds',
      help: 'Time from the version of an update, which is its time in Redis, to its delivery. Panel "Delivery latency"; alert HeliographDeliverySlow',
      buckets: LATENCY_BUCKETS_S,
      registers,
    });
    this.#fanout = new Histogram({
      name: 'relay_fanout_duration_seconds',
      help: 'Duration of the delivery of one update to all its subscribers on this relay. Panel "Fan-out"',
      buckets: [0.000_01, 0.000_1, ...LATENCY_BUCKETS_S],
      registers,
    });
    this.#conflated = new Counter({
      name: 'relay_updates_conflated_total',
      help: 'Updates replaced by a newer one before their delivery. Panel "Deliveries and conflated updates"',
      registers,
    });
    this.#dataDropped = new Counter({
      name: 'relay_data_dropped_total',
      help: 'Updates whose data was dropped because of MAX_RELAY_DATA: clients fetch. Panel "Deliveries and conflated updates"',
      registers,
    });
    this.#spread = new Gauge({
      name: 'relay_spread_seconds',
      help: 'Spread of the last delivered update: the time over which clients refetch. Panel "Refetch spread"',
      aggregator: 'max',
      registers,
    });
    this.#behind = new Gauge({
      name: 'relay_sessions_behind',
      help: 'Clients that read more slowly than updates are delivered. Panel "Clients behind"; alert HeliographClientsBehind',
      registers,
    });
    this.#fellBehind = new Counter({
      name: 'relay_sessions_fell_behind_total',
      help: 'Times that a client fell behind. Panel "Fell behind, and stuck"',
      registers,
    });
  }

  /** Adds the gauges of topics and their data, which are read at each scrape. */
  observe(hub: { readonly topics: number; readonly dataBytes: number }): void {
    new Gauge({
      name: 'relay_data_bytes',
      help: 'Memory for the data of topics, at most MAX_RELAY_DATA. Panel "Memory"',
      registers: this.#registers,
      collect() {
        this.set(hub.dataBytes);
      },
    });
    new Gauge({
      name: 'relay_topics',
      help: 'Topics with a subscriber on this relay. Panel "Topics"',
      registers: this.#registers,
      collect() {
        this.set(hub.topics);
      },
    });
  }

  delivered({ update, clients, publishedAtMs }: Delivery): void {
    const spreadMs = update.spread ?? 0;
    // Legacy clients get an update with a spread later.
    if (clients > 0 || spreadMs > 0) this.#spread.set(spreadMs / 1000);
    if (clients === 0) return;
    this.#deliveries.inc(clients);
    if (publishedAtMs === undefined) return;
    this.#latency.observe(Math.max(0, this.#clock.monotonicMs() - publishedAtMs) / 1000);
  }

  fannedOut(ms: number): void {
    this.#fanout.observe(ms / 1000);
  }

  dataDropped(): void {
    this.#dataDropped.inc();
  }

  conflated(): void {
    this.#conflated.inc();
  }

  sent(): void {
    this.#deliveries.inc();
  }

  sentPaced(): void {
    this.#deliveries.inc();
    this.#paced.inc();
  }

  fellBehind(): void {
    this.#behind.inc();
    this.#fellBehind.inc();
  }

  caughtUp(): void {
    this.#behind.dec();
  }
}
