import { SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { RequestHandler } from 'express';
import { AppError } from '../shared/errors.ts';
import { disconnectSignal } from '../shared/express/disconnect-signal.ts';
import { queryParameters } from '../shared/express/query-parameters.ts';
import { BodyReader, decodeUtf8, requireMediaType } from '../shared/http/read-body.ts';
import { parsePublishRequest } from '../shared/protocol/publish-request.ts';
import { record } from '../shared/trace/record.ts';
import { callerVerified } from '../shared/trace/request-context.ts';
import { formatTraceparent, parseTraceparent } from '../shared/trace/traceparent.ts';
import type { UpdateBody } from '../shared/update/update.ts';
import { type Authenticate, readWebhookId } from './authenticate.ts';
import type { ClusterPublisher, PublishedTopic } from './cluster-publisher.ts';
import type { DeliveryReceipts } from './delivery-receipts.ts';
import type { Idempotent } from './idempotency.ts';
import type { WebhookMetrics } from './metrics.ts';
import { pointsOf, type RateLimit } from './rate-limit.ts';
import type { StorageLimit } from './storage-limit.ts';
import { parseWaitParameters } from './wait-parameters.ts';

const MAX_BODY_BYTES = 64 * 1024;

/**
 * Creates the handler of `POST /webhook`: publishes an update of each topic, and responds with their versions in the order
 * of the request. The body is parsed only after the caller is authenticated. With `wait=delivered`, the response has the
 * delivery receipts too: 200 once all relays have delivered the updates, 202 if some have not within the timeout.
 */
export function createPublishHandler(deps: {
  publisher: ClusterPublisher;
  authenticate: Authenticate;
  rateLimit: RateLimit;
  storageLimit: StorageLimit;
  idempotent: Idempotent;
  receipts: DeliveryReceipts;
  metrics: WebhookMetrics;
  tracer: Tracer;
  brokerTracer: Tracer;
}): RequestHandler {
  const { publisher, authenticate, rateLimit, storageLimit, idempotent, receipts, metrics, tracer, brokerTracer } =
    deps;
  const bodies = new BodyReader({ maxBytes: MAX_BODY_BYTES });
  return async (request, response) => {
    const verify = authenticate(request);
    requireMediaType(request.headers, ['application/json']);
    const raw = await bodies.read(request);
    const startTime = performance.now();
    const credential = verify(raw);
    const within = callerVerified(request);
    if (within) tracer.startSpan('verify', { startTime }, within).end();
    rateLimit.admit(credential);
    const { topics, ...content } = parsePublishRequest(decodeUtf8(raw));
    const attributes = { topic: topics.join(' ') };
    if (within) trace.getSpan(within)?.setAttributes(attributes);
    if (!topics.every(credential.mayPublish)) throw new AppError('topic_forbidden');
    const body = withCallersTrace(request.headers.traceparent, content);
    const dataBytes = Buffer.byteLength(content.data ?? '');
    rateLimit.charge(credential, pointsOf({ topics: topics.length, dataBytes }) - 1);
    const wait = parseWaitParameters(queryParameters(request));

    async function publish(): Promise<{ updates: readonly PublishedTopic[] }> {
      storageLimit.store(credential, topics, dataBytes);
      const options = { kind: SpanKind.CLIENT, attributes, within };
      const updates = await record(brokerTracer, 'publish', options, async (span) => {
        const traced = span ? { ...body, traceparent: formatTraceparent(span.spanContext()) } : body;
        const published = await publisher.publish(topics, traced);
        span?.setAttribute('version', published.map(({ version }) => version).join(' '));
        return published;
      });
      metrics.updatesPublished(updates.length);
      return { updates };
    }

    async function publishOnce(): Promise<{ updates: readonly PublishedTopic[] }> {
      const call = { credentialId: credential.id, webhookId: readWebhookId(request.headers), body: raw, within };
      const { result, repeated } = await idempotent(call, publish);
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

/** Adds the trace context of the caller, so that relays record deliveries under it even if this webhook records nothing. */
function withCallersTrace(header: unknown, body: UpdateBody): UpdateBody {
  const parent = parseTraceparent(header);
  return parent ? { ...body, traceparent: formatTraceparent(parent) } : body;
}
