import { Counter, type Registry } from 'prom-client';
import type { RequestReport } from '../shared/http/measure.ts';
import { createRequestMetrics } from '../shared/http/metrics.ts';

/** What the webhook reports. */
export interface WebhookMetrics extends RequestReport {
  updatesPublished(count: number): void;
  /** A call came again and got its first answer. */
  callRepeated(): void;
}

/** Turns what the webhook reports into metrics. */
export function createWebhookMetrics(deps: { registry: Registry }): WebhookMetrics {
  const registers = [deps.registry];
  const updates = new Counter({
    name: 'webhook_updates_total',
    help: 'Updates that were published and acknowledged, one a topic',
    registers,
  });
  const repeated = new Counter({
    name: 'webhook_repeated_calls_total',
    help: 'Calls whose webhook-id was known: they got their first answer and published nothing',
    registers,
  });
  return {
    ...createRequestMetrics({ registry: deps.registry, service: 'webhook' }),
    callRepeated: () => repeated.inc(),
    updatesPublished: (count) => updates.inc(count),
  };
}
