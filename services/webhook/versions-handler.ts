import type { RequestHandler } from 'express';
import { AppError } from '../shared/errors.ts';
import { queryParameters } from '../shared/express/query-parameters.ts';
import { requireTopics } from '../shared/protocol/publish-request.ts';
import { callerVerified } from '../shared/trace/request-context.ts';
import type { Authenticate } from './authenticate.ts';
import type { ClusterPublisher } from './cluster-publisher.ts';
import type { RateLimit } from './rate-limit.ts';

/** The body over which the signature of a GET is made. */
const NO_BODY = Buffer.alloc(0);

/**
 * Creates the handler of `GET /updates/current?topic=`, which responds with the current version of each topic. Requires
 * credentials that permit publishing them.
 */
export function createVersionsHandler(deps: {
  publisher: ClusterPublisher;
  authenticate: Authenticate;
  rateLimit: RateLimit;
}): RequestHandler {
  const { publisher, authenticate, rateLimit } = deps;
  return async (request, response) => {
    const credential = authenticate(request)(NO_BODY);
    callerVerified(request);
    rateLimit.admit(credential);
    const topics = requireTopics(queryParameters(request).getAll('topic'));
    if (topics.length === 0) throw new AppError('invalid_request', 'The URL must have a topic or more: ?topic=chat');
    if (!topics.every(credential.mayPublish)) throw new AppError('topic_forbidden');
    rateLimit.charge(credential, topics.length - 1);
    response.json({ versions: await publisher.versions(topics) });
  };
}
