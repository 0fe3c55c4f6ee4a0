import { Counter, Gauge, type Registry } from 'prom-client';
import type { RequestReport } from '../shared/express/measure.ts';
import { createRequestMetrics } from '../shared/express/metrics.ts';
import type { OutboxReport } from './outbox.ts';

/** Events of the chat that are counted. */
export interface ChatMetrics extends RequestReport, OutboxReport {
  commentSaved(): void;
}

/** Creates the metrics of the chat. */
export function createChatMetrics(deps: { registry: Registry }): ChatMetrics {
  const registers = [deps.registry];
  const comments = new Counter({
    name: 'chat_comments_total',
    help: 'Comments saved. Panel "Comments and webhook calls"',
    registers,
  });
  const calls = new Counter({
    name: 'chat_webhook_calls_total',
    help: 'Calls to the webhook, by outcome. Panel "Comments and webhook calls"',
    labelNames: ['outcome'],
    registers,
  });
  const pending = new Gauge({
    name: 'chat_publish_pending',
    help: '1 while saved comments are not published. Panel "Pending publish"; alert HeliographChatUntold',
    registers,
  });
  return {
    ...createRequestMetrics({
      registry: deps.registry,
      service: 'chat',
      seenIn: {
        requests: 'Panel "Requests by status"',
        duration: 'Panel "Request duration"',
        refusals: 'Panel "Refused chat requests"',
      },
    }),
    commentSaved: () => comments.inc(),
    published: () => calls.inc({ outcome: 'ok' }),
    failed: () => calls.inc({ outcome: 'failed' }),
    pending: (is) => pending.set(is ? 1 : 0),
  };
}
