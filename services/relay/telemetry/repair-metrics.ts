import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { SignalProof } from '../../shared/broker/broker.ts';
import type { Clock } from '../../shared/clock.ts';
import { LATENCY_BUCKETS_S } from './delivery-metrics.ts';

/** Measures repair: digests, what they brought, and whether this relay is fresh. */
export class RepairMetrics {
  readonly #clock: Clock;
  readonly #registers: Registry[];
  readonly #digests: Counter;
  readonly #digestSeconds: Histogram;
  readonly #probes: Counter;
  readonly #rounds: Counter;
  readonly #repaired: Counter;
  readonly #floorRaises: Counter;
  readonly #replaced: Counter;
  readonly #fresh: Gauge;
  readonly #stale: Counter;
  /** Time up to which stale seconds are not counted yet; undefined while the relay is fresh. */
  #staleSinceMs: number | undefined;

  constructor(deps: { registry: Registry; clock: Clock }) {
    const registers = [deps.registry];
    this.#clock = deps.clock;
    this.#registers = registers;
    this.#staleSinceMs = deps.clock.monotonicMs();
    this.#digests = new Counter({
      name: 'relay_digests_total',
      help: 'Probes and digests requested, by outcome. Panel "Repair"',
      labelNames: ['outcome'],
      registers,
    });
    this.#digestSeconds = new Histogram({
      name: 'relay_digest_duration_seconds',
      help: 'Duration of probes and digests. Panel "Digest duration"',
      buckets: LATENCY_BUCKETS_S,
      registers,
    });
    this.#probes = new Counter({
      name: 'relay_probes_total',
      help: 'Probes, by what they proved of the signals: complete, or unproven or lost, which a digest follows. Panel "Digest rounds"',
      labelNames: ['signals'],
      registers,
    });
    this.#rounds = new Counter({
      name: 'relay_repairs_total',
      help: 'Rounds of probes and digests, by cause: the interval, or a link to Redis that came up. Panel "Digest rounds"',
      labelNames: ['cause'],
      registers,
    });
    this.#repaired = new Counter({
      name: 'relay_updates_repaired_total',
      help: 'Updates that a digest brought because pub/sub had not. Panel "Repair"; alert HeliographPubSubLosesSignals',
      registers,
    });
    this.#floorRaises = new Counter({
      name: 'relay_floor_raises_total',
      help: 'Floor raises: Redis may have lost updates. Panel "Repair"; alert HeliographRedisForgot',
      registers,
    });
    this.#replaced = new Counter({
      name: 'relay_subscriptions_replaced_total',
      help: 'Redis subscriptions replaced because their signals did not arrive. Panel "Repair"; alert HeliographPubSubLosesSignals',
      registers,
    });
    this.#fresh = new Gauge({
      name: 'relay_fresh',
      help: '1 while the registers of this relay are proven current. Panel "Fresh relays"; alerts HeliographNoRelay, HeliographRelayStale',
      aggregator: 'min',
      registers,
    });
    const countStale = (counter: Counter) => this.#countStale(counter);
    this.#stale = new Counter({
      name: 'relay_stale_seconds_total',
      help: 'Seconds in which this relay was stale. Panel "Stale relays"',
      registers,
      collect() {
        countStale(this);
      },
    });
  }

  /** Adds the gauge of the oldest digest, which is read at each scrape. */
  observe(hub: { readonly digestAgeMs: number }): void {
    new Gauge({
      name: 'relay_digest_age_seconds',
      help: `Age of the oldest of the partitions' last digests. Panel "Digest age"`,
      aggregator: 'max',
      registers: this.#registers,
      collect() {
        this.set(hub.digestAgeMs / 1000);
      },
    });
  }

  digested(seconds: number): void {
    this.#digests.inc({ outcome: 'ok' });
    this.#digestSeconds.observe(seconds);
  }

  probed(proof: SignalProof): void {
    this.#probes.inc({ signals: proof });
  }

  digestFailed(): void {
    this.#digests.inc({ outcome: 'failed' });
  }

  roundBegun(cause: 'interval' | 'link'): void {
    this.#rounds.inc({ cause });
  }

  updatesRepaired(count: number): void {
    this.#repaired.inc(count);
  }

  floorRaised(): void {
    this.#floorRaises.inc();
  }

  deafSubscriptionReplaced(): void {
    this.#replaced.inc();
  }

  freshness(fresh: boolean): void {
    this.#fresh.set(fresh ? 1 : 0);
    this.#countStale(this.#stale);
    this.#staleSinceMs = fresh ? undefined : this.#clock.monotonicMs();
  }

  /** Counts the stale time since it was last counted. */
  #countStale(counter: Counter): void {
    if (this.#staleSinceMs === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    counter.inc((nowMs - this.#staleSinceMs) / 1000);
    this.#staleSinceMs = nowMs;
  }
}
