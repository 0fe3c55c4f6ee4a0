import { Counter, Histogram, type Registry } from 'prom-client';

/** What the webhook reports. */
export interface WebhookMetrics {
  /** A request was answered with this HTTP status, or undefined where its sender went away before. */
  requestEnded(status: number | undefined, seconds: number): void;
  updatesPublished(count: number): void;
  /** A call came again and got its first answer. */
  callRepeated(): void;
}

/** Turns what the webhook reports into metrics. */
export function createWebhookMetrics(deps: { registry: Registry }): WebhookMetrics {
  const registers = [deps.registry];
  const requests = new Counter({
    name: 'webhook_requests_total',
    help: 'Requests by the HTTP status of their answer; aborted: the sender went away before',
    labelNames: ['code'],
    registers,
  });
  const duration = new Histogram({
    name: 'webhook_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
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
    callRepeated: () => repeated.inc(),
    requestEnded(status, seconds) {
      requests.inc({ code: status ?? 'aborted' });
      duration.observe(seconds);
    },
    updatesPublished(count) {
      updates.inc(count);
    },
  };
}
