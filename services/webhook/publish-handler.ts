import { SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { RequestHandler } from 'express';
import { AppError } from '../shared/errors.ts';
import { disconnectSignal } from '../shared/express/disconnect-signal.ts';
import { record } from '../shared/trace/record.ts';
import { callerVerified } from '../shared/trace/request-context.ts';
import { formatTraceparent, parseTraceparent } from '../shared/trace/traceparent.ts';
import type { ClusterPublisher, PublishedTopic } from './cluster-publisher.ts';
import type { DeliveryReceipts } from './delivery-receipts.ts';
import type { Idempotent } from './idempotency.ts';
import type { WebhookMetrics } from './metrics.ts';
import type { ReadCall } from './publish-call.ts';
import { pointsOf, type RateLimit } from './rate-limit.ts';
import type { StorageLimit } from './storage-limit.ts';

/** Creates the handler of a route that publishes, from the function that reads its calls. */
export type CreatePublishHandler = (read: ReadCall) => RequestHandler;

/**
 * Returns a function that creates handlers which publish: each publishes an update of each topic of a call, and responds
 * with their versions in the order of the request. A call is parsed only after its caller is authenticated. With
 * `wait=delivered`, the response has the delivery receipts too: 200 once all relays have delivered the updates, 202 if some
 * have not within the timeout.
 */
export function createPublishHandlers(deps: {
  publisher: ClusterPublisher;
  rateLimit: RateLimit;
  storageLimit: StorageLimit;
  idempotent: Idempotent;
  receipts: DeliveryReceipts;
  metrics: WebhookMetrics;
  tracer: Tracer;
  brokerTracer: Tracer;
}): CreatePublishHandler {
  const { publisher, rateLimit, storageLimit, idempotent, receipts, metrics, tracer, brokerTracer } = deps;
  return (read) => async (request, response) => {
    const call = await read(request);
    const { credential } = call;
    const within = callerVerified(request);
    if (within) tracer.startSpan('verify', { startTime: call.verifiedFromMs }, within).end();
    rateLimit.admit(credential);
    const { requests, webhookId, identity, wait } = call.parse();
    const topics = requests.flatMap((request) => request.topics);
    const attributes = { topic: topics.join(' ') };
    if (within) trace.getSpan(within)?.setAttributes(attributes);
    if (!topics.every(credential.mayPublish)) throw new AppError('topic_forbidden');
    const parent = parseTraceparent(request.headers.traceparent);
    const dataBytes = requests.flatMap((request) => {
      const bytes = Buffer.byteLength(request.data ?? '');
      return request.topics.map(() => bytes);
    });
    rateLimit.charge(credential, pointsOf(dataBytes) - 1);

    async function publish(): Promise<{ updates: readonly PublishedTopic[] }> {
      storageLimit.store(credential, { topics, dataBytes, webhookId });
      const options = { kind: SpanKind.CLIENT, attributes, within };
      const updates = await record(brokerTracer, 'publish', options, async (span) => {
        // With the trace of the caller, relays record deliveries under it even if this webhook records nothing.
        const caller = span?.spanContext() ?? parent;
        const traced = caller ? { traceparent: formatTraceparent(caller) } : {};
        const calls = requests.map(({ topics: same, ...body }) => publisher.publish(same, { ...body, ...traced }));
        const published = (await Promise.all(calls)).flat();
        span?.setAttribute('version', published.map(({ version }) => version).join(' '));
        return published;
      });
      metrics.updatesPublished(updates.length);
      return { updates };
    }

    async function publishOnce(): Promise<{ updates: readonly PublishedTopic[] }> {
      const { result, repeated } = await idempotent(
        { credentialId: credential.id, webhookId, body: identity, within },
        publish,
      );
      if (repeated) metrics.callRepeated();
      return result;
    }

    if (!wait) return void response.json(await publishOnce());
    await receipts.withinLimit(async () => {
      const { updates } = await publishOnce();
      const status = await record(tracer, 'wait for delivery', { within }, () =>
        receipts.waitUntilDelivered(updates, wait.timeoutMs, disconnectSignal(response)),
      );
      response.status(status.delivered ? 200 : 202).json({ updates, ...status });
    });
  };
}
