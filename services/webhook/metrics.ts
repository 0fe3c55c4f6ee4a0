import { Counter, Histogram, type Registry } from 'prom-client';
import type { RequestReport } from '../shared/express/measure.ts';
import { createRequestMetrics } from '../shared/express/metrics.ts';
import type { ReceiptReport } from './receipt-desk.ts';

/** What the webhook reports. */
export interface WebhookMetrics extends RequestReport, ReceiptReport {
  updatesPublished(count: number): void;
  /** A call came again and got its first answer. */
  callRepeated(): void;
}

/** Turns what the webhook reports into metrics. */
export function createWebhookMetrics(deps: { registry: Registry }): WebhookMetrics {
  const registers = [deps.registry];
  const updates = new Counter({
    name: 'webhook_updates_total',
    help: 'Updates that were published and acknowledged, one a topic. Panel "Updates, and repeated calls"',
    registers,
  });
  const repeated = new Counter({
    name: 'webhook_repeated_calls_total',
    help: 'Calls whose webhook-id was known: they got their first answer and published nothing. Panel "Updates, and repeated calls"',
    registers,
  });
  const asked = new Counter({
    name: 'webhook_receipts_asked_total',
    help: 'Updates that relays were asked about, one a topic. Panel "Waits for delivery"',
    registers,
  });
  const waits = new Counter({
    name: 'webhook_waits_total',
    help: 'Calls that waited until an update was delivered, by outcome. Panel "Waits for delivery"',
    labelNames: ['outcome'],
    registers,
  });
  const waited = new Histogram({
    name: 'webhook_wait_duration_seconds',
    help: 'How long calls waited until an update was delivered, or the time was up. Panel "Duration of calls"',
    buckets: [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  return {
    ...createRequestMetrics({
      registry: deps.registry,
      service: 'webhook',
      seenIn: {
        requests: 'Panel "Calls by status"; alerts HeliographPublishFails, HeliographCredentialsRefused',
        duration: 'Panel "Duration of calls"',
      },
    }),
    callRepeated: () => repeated.inc(),
    receiptsAsked: (updates) => asked.inc(updates),
    waited(outcome, seconds) {
      waits.inc({ outcome });
      waited.observe(seconds);
    },
    updatesPublished: (count) => updates.inc(count),
  };
}
