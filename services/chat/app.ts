import express, { type Express } from 'express';
import { AppError } from '../shared/errors.ts';
import { allowMethods } from '../shared/express/allow-methods.ts';
import { createDiscardRest } from '../shared/express/discard-rest.ts';
import { doNotCache } from '../shared/express/do-not-cache.ts';
import { createErrorHandler } from '../shared/express/error-handler.ts';
import { createMeasure } from '../shared/express/measure.ts';
import { assignRequestId } from '../shared/express/request-id.ts';
import type { Logger } from '../shared/logger.ts';
import type { ServiceStats } from '../shared/trace/service-stats.ts';
import { readChatAssets } from './assets.ts';
import type { CommentStore } from './comment-store.ts';
import { createGetComments } from './get-comments.ts';
import type { ChatMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { createPostComment } from './post-comment.ts';
import type { RelayUrl } from './relay-url.ts';
import { createSecurityHeaders } from './security-headers.ts';
import { createShowPage } from './show-page.ts';

/** Creates the Express app that serves the chat's page, its comments, and takes new ones. */
export function createChatApp(deps: {
  store: CommentStore;
  outbox: Outbox;
  topic: string;
  relayUrl: RelayUrl;
  metrics: ChatMetrics;
  logger: Logger;
  stats: ServiceStats;
}): Express {
  const { store, outbox, topic, relayUrl, metrics, logger, stats } = deps;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  // A query is names and values: no lists, no objects.
  app.set('query parser', 'simple');
  app.use(
    assignRequestId,
    stats.recordRequests,
    createMeasure({ report: metrics }),
    createDiscardRest(),
    doNotCache,
    createSecurityHeaders({ relayUrl }),
  );
  const showPage = createShowPage({ store, outbox, topic, relayUrl });
  const [look, write] = [
    createGetComments({ store }),
    createPostComment({ store, outbox, metrics, showPage, tracer: stats.tracer }),
  ];
  app.all('/', allowMethods('GET', 'HEAD'), (request, response) => {
    showPage(request, response, { draft: request.query });
  });
  app.all('/comments', allowMethods('GET', 'HEAD', 'POST'), (request, response, next) =>
    (request.method === 'POST' ? write : look)(request, response, next),
  );
  for (const { path, handler } of readChatAssets()) app.all(path, allowMethods('GET', 'HEAD'), handler);
  app.use(() => {
    throw new AppError('not_found');
  });
  app.use(createErrorHandler({ logger }));
  return app;
}
