import type { Request, RequestHandler } from 'express';
import type { BrokerFeed } from '../shared/broker/broker.ts';
import { AppError } from '../shared/errors.ts';
import { disconnectSignal } from '../shared/express/disconnect-signal.ts';
import { queryParameters } from '../shared/express/query-parameters.ts';
import { callerVerified } from '../shared/trace/request-context.ts';
import { parseTopic } from '../shared/update/topic.ts';
import { parseVersion } from '../shared/update/update.ts';
import type { Authenticate } from './authenticate.ts';
import type { DeliveryReceipts } from './delivery-receipts.ts';
import type { RateLimit } from './rate-limit.ts';

/** The body over which the signature of a GET is made. */
const NO_BODY = Buffer.alloc(0);

/**
 * Creates the handler of `GET /updates/<version>?topic=`, which responds with the delivery receipts of an update. Requires
 * credentials that permit publishing the topic.
 *
 * The handler throws `AppError` with `unknown_update` if the topic has no update of this version or a newer one.
 */
export function createReceiptsHandler(deps: {
  receipts: DeliveryReceipts;
  registers: Pick<BrokerFeed, 'read'>;
  authenticate: Authenticate;
  rateLimit: RateLimit;
}): RequestHandler {
  const { receipts, registers, authenticate, rateLimit } = deps;
  return async (request: Request, response) => {
    const credential = authenticate(request)(NO_BODY);
    callerVerified(request);
    rateLimit.admit(credential);
    const version = parseVersion(String(request.params.version));
    if (version === undefined) throw new AppError('invalid_request', 'The version must be a whole number');
    const topics = queryParameters(request).getAll('topic');
    const topic = parseTopic(topics.length === 1 ? topics[0] : undefined);
    if (!credential.mayPublish(topic)) throw new AppError('topic_forbidden');
    const { receipts: statuses, missing } = await receipts.withinLimit(async () => {
      const [register] = await registers.read([topic]);
      if (version === 0 || !register || register.version < version) throw new AppError('unknown_update');
      return receipts.query([{ topic, version }], disconnectSignal(response));
    });
    response.json({ ...statuses[0], ...(missing === undefined ? {} : { missing }) });
  };
}
