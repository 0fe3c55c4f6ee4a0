import { SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { RequestHandler } from 'express';
import { AppError } from '../shared/errors.ts';
import { decodeUtf8, readBody, requireMediaType } from '../shared/http/read-body.ts';
import { parsePublishRequest } from '../shared/protocol/publish-request.ts';
import { record } from '../shared/trace/record.ts';
import { contextOf } from '../shared/trace/request-context.ts';
import { formatTraceparent, parseTraceparent } from '../shared/trace/traceparent.ts';
import type { UpdateBody } from '../shared/update/update.ts';
import type { createAnswerOnce } from './answer-once.ts';
import { type createAuthenticate, readWebhookId } from './authenticate.ts';
import type { ClusterPublisher } from './cluster-publisher.ts';
import type { WebhookMetrics } from './metrics.ts';
import type { createRateLimit } from './rate-limit.ts';
import type { ReceiptDesk } from './receipt-desk.ts';
import { queryOf, whenGone } from './request-parts.ts';
import { parseWait } from './wait-request.ts';

const MAX_BODY_BYTES = 64 * 1024;

/**
 * Creates the handler of `POST /webhook`: publishes, then answers with the versions in the order of the
 * request. Nothing is parsed before its raw bytes are known to come from a publisher. Where the caller waits for
 * delivery, relays are asked once the update is out: 200 where all have handed it over, 202 where not all have in time.
 */
export function createPublishHandler(deps: {
  publisher: ClusterPublisher;
  authenticate: ReturnType<typeof createAuthenticate>;
  limitRate: ReturnType<typeof createRateLimit>;
  answerOnce: ReturnType<typeof createAnswerOnce>;
  desk: ReceiptDesk;
  metrics: WebhookMetrics;
  tracer: Tracer;
  brokerTracer: Tracer;
}): RequestHandler {
  const { publisher, authenticate, limitRate, answerOnce, desk, metrics, tracer, brokerTracer } = deps;
  return async (request, response) => {
    const within = contextOf(request);
    const verify = authenticate(request.headers);
    requireMediaType(request.headers, ['application/json']);
    const raw = await readBody(request, MAX_BODY_BYTES);
    const credential = await record(tracer, 'verify', { within }, () => verify(raw));
    await limitRate(credential, response);
    const { topics, ...given } = parsePublishRequest(decodeUtf8(raw));
    const attributes = { topic: topics.join(' ') };
    if (within) trace.getSpan(within)?.setAttributes(attributes);
    if (!topics.every(credential.mayPublish)) throw new AppError('topic_forbidden');
    const body = withTraceOf(request.headers.traceparent, given);
    const wait = parseWait(queryOf(request));
    const publish = async (): Promise<string> => {
      const options = { kind: SpanKind.CLIENT, attributes, within };
      const updates = await record(brokerTracer, 'publish', options, async (span) => {
        const part = span ? { ...body, traceparent: formatTraceparent(span.spanContext()) } : body;
        const published = await publisher.publish(topics, part);
        span?.setAttribute('version', published.map(({ version }) => version).join(' '));
        return published;
      });
      metrics.updatesPublished(updates.length);
      return JSON.stringify({ updates });
    };
    const publishOnce = async (): Promise<string> => {
      const webhookId = readWebhookId(request.headers);
      if (webhookId === undefined) return publish();
      const { answer, repeated } = await answerOnce(
        { credentialId: credential.id, webhookId, body: raw, within },
        publish,
      );
      if (repeated) metrics.callRepeated();
      return answer;
    };
    if (!wait) return void response.type('json').send(await publishOnce());
    await desk.withPlace(async () => {
      const { updates } = JSON.parse(await publishOnce());
      const delivery = await record(tracer, 'wait for delivery', { within }, () =>
        desk.wait(updates, wait.timeoutMs, whenGone(response)),
      );
      response.status(delivery.delivered ? 200 : 202).json({ updates, ...delivery });
    });
  };
}

/** Whoever records what it does is told by its own name for it, also where nothing is recorded here. */
function withTraceOf(header: unknown, body: UpdateBody): UpdateBody {
  const parent = parseTraceparent(header);
  return parent ? { ...body, traceparent: formatTraceparent(parent) } : body;
}
