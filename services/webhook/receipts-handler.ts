import type { Request, RequestHandler } from 'express';
import type { BrokerFeed } from '../shared/broker/broker.ts';
import { AppError } from '../shared/errors.ts';
import { parseTopic } from '../shared/update/topic.ts';
import { parseVersion } from '../shared/update/update.ts';
import type { createAuthenticate } from './authenticate.ts';
import type { createRateLimit } from './rate-limit.ts';
import type { ReceiptDesk } from './receipt-desk.ts';
import { queryOf, whenGone } from './request-parts.ts';

/** A call that only asks has no body: that is what is signed. */
const NO_BODY = Buffer.alloc(0);

/**
 * Creates the handler of `GET /updates/<version>?topic=`: which relays have handed an update over, and to how many.
 * Whoever may publish the topic may ask. Throws `unknown_update` where there cannot have been such an update.
 */
export function createReceiptsHandler(deps: {
  desk: ReceiptDesk;
  registers: Pick<BrokerFeed, 'read'>;
  authenticate: ReturnType<typeof createAuthenticate>;
  limitRate: ReturnType<typeof createRateLimit>;
}): RequestHandler {
  const { desk, registers, authenticate, limitRate } = deps;
  return async (request: Request, response) => {
    const credential = authenticate(request.headers)(NO_BODY);
    await limitRate(credential, response);
    const version = parseVersion(String(request.params.version));
    if (version === undefined) throw new AppError('invalid_request', 'A version is a whole number');
    const topics = queryOf(request).getAll('topic');
    const topic = parseTopic(topics.length === 1 ? topics[0] : undefined);
    if (!credential.mayPublish(topic)) throw new AppError('topic_forbidden');
    const delivery = await desk.withPlace(async () => {
      const [register] = await registers.read([topic]);
      if (version === 0 || !register || register.version < version) throw new AppError('unknown_update');
      return desk.look([{ topic, version }], whenGone(response));
    });
    const [receipt] = delivery.receipts;
    response.json({ ...receipt, ...(delivery.missing === undefined ? {} : { missing: delivery.missing }) });
  };
}
