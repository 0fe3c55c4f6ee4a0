import { Counter, Histogram, type Registry } from 'prom-client';
import type { RequestReport } from '../shared/express/measure.ts';
import { createRequestMetrics } from '../shared/express/metrics.ts';
import type { Logger } from '../shared/logger.ts';
import type { LossReport } from './cluster-publisher.ts';
import type { ReceiptReport } from './delivery-receipts.ts';

/** Observes the webhook. */
export interface WebhookMetrics extends RequestReport, ReceiptReport, LimitReport, SourceReport, LossReport {
  /** This number of updates was published and acknowledged. */
  updatesPublished(count: number): void;
  /** A repeated call received the response of the first one. */
  callRepeated(): void;
}

/** Observes refusals of calls over a limit. */
export interface LimitReport {
  callLimited(limit: 'rate' | 'storage' | 'signatures'): void;
}

/**
 * How a delivery to a source ended: `unmatched` is one that the sender or the source must change, for example because it has no
 * topic that the source may publish; `limited` and `failed` ones may be repeated.
 */
const SOURCE_OUTCOMES = ['accepted', 'unmatched', 'unverified', 'limited', 'failed'] as const;
export type SourceOutcome = (typeof SOURCE_OUTCOMES)[number];

/** Observes deliveries to sources. */
export interface SourceReport {
  sourceCalled(source: string, outcome: SourceOutcome): void;
}

/** Creates the metrics of the webhook, whose sources have these names. */
export function createWebhookMetrics(deps: {
  registry: Registry;
  logger: Logger;
  sources?: Iterable<string>;
}): WebhookMetrics {
  const registers = [deps.registry];
  const updates = new Counter({
    name: 'webhook_updates_total',
    help: 'Updates published and acknowledged, one per topic of a call. Panel "Updates and repeated calls"',
    registers,
  });
  const repeated = new Counter({
    name: 'webhook_repeated_calls_total',
    help: 'Repeated calls by webhook-id: they received the first response and published nothing. Panel "Updates and repeated calls"',
    registers,
  });
  const lost = new Counter({
    name: 'webhook_updates_lost_total',
    help: 'Times that replies to calls in progress showed that Redis had lost an acknowledged update: the floor was raised, so clients fetched. Panel "Repair"',
    registers,
  });
  const limited = new Counter({
    name: 'webhook_calls_limited_total',
    help: 'Calls refused with 429, by limit: rate and storage of their credentials, or wrong signatures of their address. Panel "Updates and repeated calls"',
    labelNames: ['limit'],
    registers,
  });
  // A rate exists from the first scrape on, also of a limit that no call has reached yet.
  for (const limit of ['rate', 'storage', 'signatures']) limited.inc({ limit }, 0);
  const sourceCalls = new Counter({
    name: 'webhook_source_calls_total',
    help: 'Deliveries to sources (WEBHOOK_SOURCES), by source and outcome. Panel "Updates and repeated calls"',
    labelNames: ['source', 'outcome'],
    registers,
  });
  for (const source of deps.sources ?? []) {
    for (const outcome of SOURCE_OUTCOMES) sourceCalls.inc({ source, outcome }, 0);
  }
  const queried = new Counter({
    name: 'webhook_receipts_asked_total',
    help: 'Updates in receipt queries, one per topic. Panel "Waits for delivery"',
    registers,
  });
  const waits = new Counter({
    name: 'webhook_waits_total',
    help: 'Calls that waited for delivery, by outcome. Panel "Waits for delivery"',
    labelNames: ['outcome'],
    registers,
  });
  const waitDuration = new Histogram({
    name: 'webhook_wait_duration_seconds',
    help: 'Time that calls waited for delivery or until their timeout. Panel "Call duration"',
    buckets: [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  return {
    ...createRequestMetrics({
      registry: deps.registry,
      service: 'webhook',
      seenIn: {
        requests: 'Panel "Calls by status"; alerts HeliographPublishFails, HeliographCredentialsRefused',
        duration: 'Panel "Call duration"',
        refusals: 'Panel "Refused calls"',
      },
    }),
    callRepeated: () => repeated.inc(),
    updateLost() {
      lost.inc();
      deps.logger.error(
        'Redis has lost an acknowledged update, as if older data were loaded; raising the floor, so clients fetch',
      );
    },
    callLimited: (limit) => limited.inc({ limit }),
    sourceCalled: (source, outcome) => sourceCalls.inc({ source, outcome }),
    receiptsQueried: (updates) => queried.inc(updates),
    waitEnded(outcome, seconds) {
      waits.inc({ outcome });
      waitDuration.observe(seconds);
    },
    /** This number of updates was published and acknowledged. */
    updatesPublished: (count) => updates.inc(count),
  };
}
