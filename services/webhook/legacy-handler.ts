import type { RequestHandler } from 'express';
import type { Topic } from '../shared/update/topic.ts';
import type { ClusterPublisher } from './cluster-publisher.ts';
import type { WebhookMetrics } from './metrics.ts';

/**
 * Creates the handler of the legacy contract: every call publishes an update of the default topic. Query and body
 * are ignored; callers put the time into the query to defeat caches.
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
