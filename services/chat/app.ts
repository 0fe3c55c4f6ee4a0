import type { IncomingMessage } from 'node:http';
import express, { type Express } from 'express';
import { AppError } from '../shared/errors.ts';
import { allowMethods } from '../shared/express/allow-methods.ts';
import { readAssets } from '../shared/express/assets.ts';
import { createDiscardRest } from '../shared/express/discard-rest.ts';
import { doNotCache } from '../shared/express/do-not-cache.ts';
import { createErrorHandler } from '../shared/express/error-handler.ts';
import { createMeasure } from '../shared/express/measure.ts';
import { createPageHeaders } from '../shared/express/page-headers.ts';
import { assignRequestId } from '../shared/express/request-id.ts';
import { serveRoot } from '../shared/express/serve-root.ts';
import type { RootDescription } from '../shared/http/root-page.ts';
import type { ServiceUrl } from '../shared/http/service-url.ts';
import type { Logger } from '../shared/logger.ts';
import type { ServiceStats } from '../shared/trace/service-stats.ts';
import type { LimitComments } from './comment-limit.ts';
import type { CommentStore } from './comment-store.ts';
import { createGetComments, createPostComment, createShowPage } from './handlers.ts';
import type { ChatMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';

const ROOT: RootDescription = {
  service: 'chat',
  text: 'The demo: a chat that shows new comments at once. Browsers get its page here.',
  links: [{ href: '/comments', text: 'The newest comments, as JSON.' }],
};

/** Media types of the static files, by path. */
const ASSET_TYPES = {
  '/chat.css': 'text/css',
  '/chat.js': 'text/javascript',
  '/icon.svg': 'image/svg+xml',
};

/** Folders of the static files: beside the built code, and in `dist` for code that runs from source. */
const ASSET_FOLDERS = [new URL('./public/', import.meta.url), new URL('../../dist/chat/public/', import.meta.url)];

/** Creates the Express app of the chat: the page, its static files, and the comments. */
export function createChatApp(deps: {
  limitRate: LimitComments;
  store: CommentStore;
  outbox: Outbox;
  topic: string;
  relayUrl: ServiceUrl;
  metrics: ChatMetrics;
  logger: Logger;
  stats: ServiceStats;
}): Express {
  const { limitRate, store, outbox, topic, relayUrl, metrics, logger, stats } = deps;
  const relayOrigin = (request: IncomingMessage) => new URL(relayUrl(request)).origin;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  // Query values are plain strings: no lists, no objects.
  app.set('query parser', 'simple');
  app.use(
    assignRequestId,
    stats.recordRequests,
    createMeasure({ report: metrics }),
    createDiscardRest(),
    doNotCache,
    createPageHeaders({
      'script-src': ["'self'", relayOrigin],
      'connect-src': ["'self'", relayOrigin, (request) => relayOrigin(request).replace(/^http/, 'ws')],
    }),
  );
  const showPage = createShowPage({ store, outbox, topic, relayUrl });
  const getComments = createGetComments({ store });
  const postComment = createPostComment({ limitRate, store, outbox, metrics, showPage, tracer: stats.tracer });
  const describe = serveRoot(ROOT);
  app.all('/', allowMethods('GET', 'HEAD'), (request, response, next) => {
    if (request.accepts(['html', 'json']) === 'json') describe(request, response, next);
    else showPage(request, response, { draft: request.query });
  });
  app.all('/comments', allowMethods('GET', 'HEAD', 'POST'), (request, response, next) =>
    (request.method === 'POST' ? postComment : getComments)(request, response, next),
  );
  for (const { path, handler } of readAssets(ASSET_TYPES, ASSET_FOLDERS)) {
    app.all(path, allowMethods('GET', 'HEAD'), handler);
  }
  app.use(() => {
    throw new AppError('not_found');
  });
  app.use(createErrorHandler({ logger }));
  return app;
}
