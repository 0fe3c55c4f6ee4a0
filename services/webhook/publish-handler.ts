import type { RequestHandler } from 'express';
import type { ClusterPublisher } from '../shared/broker/cluster-publisher.ts';
import { AppError } from '../shared/errors.ts';
import { parsePublishRequest } from '../shared/protocol/publish-request.ts';
import type { WebhookMetrics } from './metrics.ts';
import { readBody } from './read-body.ts';

export const MAX_BODY_BYTES = 64 * 1024;

/** Creates the handler of `POST /webhook`: publishes, then answers with the versions in the order of the request. */
export function createPublishHandler(deps: { publisher: ClusterPublisher; metrics: WebhookMetrics }): RequestHandler {
  const { publisher, metrics } = deps;
  return async (request, response) => {
    requireJson(request.headers['content-type'], request.headers['content-encoding']);
    const { topics, ...body } = parsePublishRequest(decodeUtf8(await readBody(request, MAX_BODY_BYTES)));
    const updates = await publisher.publish(topics, body);
    metrics.updatesPublished(updates.length);
    response.json({ updates });
  };
}

function requireJson(contentType = '', contentEncoding = 'identity'): void {
  if (!/^application\/json *(;|$)/i.test(contentType)) throw new AppError('unsupported_media_type');
  if (contentEncoding.toLowerCase() !== 'identity') {
    throw new AppError('unsupported_media_type', 'The body must not be compressed');
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AppError('invalid_json', 'The body is not UTF-8');
  }
}
