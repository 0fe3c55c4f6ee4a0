import type { RequestHandler } from 'express';
import type { Topic } from '../shared/update/topic.ts';
import type { ClusterPublisher } from './cluster-publisher.ts';
import type { WebhookMetrics } from './metrics.ts';

/**
 * Creates the handler of the 2009 contract: whatever the query and the body, the default topic has
 * changed. The callers of 2009 put the time into the query, so that nothing caches the call.
 */
export function createLegacyHandler(deps: {
  publisher: ClusterPublisher;
  metrics: WebhookMetrics;
  topic: Topic;
}): RequestHandler {
  const { publisher, metrics, topic } = deps;
  return async (_request, response) => {
    await publisher.publish([topic], {});
    metrics.updatesPublished(1);
    response.type('text/plain').send('OK');
  };
}
