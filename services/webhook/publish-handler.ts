import type { RequestHandler } from 'express';
import type { ClusterPublisher } from '../shared/broker/cluster-publisher.ts';
import { AppError } from '../shared/errors.ts';
import { decodeUtf8, readBody, requireMediaType } from '../shared/http/read-body.ts';
import { parsePublishRequest } from '../shared/protocol/publish-request.ts';
import type { createAnswerOnce } from './answer-once.ts';
import { type createAuthenticate, readWebhookId } from './authenticate.ts';
import type { WebhookMetrics } from './metrics.ts';
import type { createRateLimit } from './rate-limit.ts';
import type { ReceiptDesk } from './receipt-desk.ts';
import { queryOf, whenGone } from './request-parts.ts';
import { parseWait } from './wait-request.ts';

export const MAX_BODY_BYTES = 64 * 1024;

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
}): RequestHandler {
  const { publisher, authenticate, limitRate, answerOnce, desk, metrics } = deps;
  return async (request, response) => {
    const verify = authenticate(request.headers);
    requireMediaType(request.headers, ['application/json']);
    const raw = await readBody(request, MAX_BODY_BYTES);
    const credential = verify(raw);
    await limitRate(credential, response);
    const { topics, ...body } = parsePublishRequest(decodeUtf8(raw));
    if (!topics.every(credential.mayPublish)) throw new AppError('topic_forbidden');
    const wait = parseWait(queryOf(request));
    const publish = async (): Promise<string> => {
      const updates = await publisher.publish(topics, body);
      metrics.updatesPublished(updates.length);
      return JSON.stringify({ updates });
    };
    const publishOnce = async (): Promise<string> => {
      const webhookId = readWebhookId(request.headers);
      if (webhookId === undefined) return publish();
      const { answer, repeated } = await answerOnce({ credentialId: credential.id, webhookId, body: raw }, publish);
      if (repeated) metrics.callRepeated();
      return answer;
    };
    if (!wait) return void response.type('json').send(await publishOnce());
    await desk.withPlace(async () => {
      const { updates } = JSON.parse(await publishOnce());
      const delivery = await desk.wait(updates, wait.timeoutMs, whenGone(response));
      response.status(delivery.delivered ? 200 : 202).json({ updates, ...delivery });
    });
  };
}
