import express, { type Express, type RequestHandler } from 'express';
import type { ClusterPublisher } from '../shared/broker/cluster-publisher.ts';
import { AppError } from '../shared/errors.ts';
import type { Logger } from '../shared/process/logger.ts';
import { createAuthenticate } from './authenticate.ts';
import type { WebhookConfig } from './config.ts';
import { createDiscardRest } from './discard-rest.ts';
import { createErrorHandler } from './error-handler.ts';
import { createLegacyHandler } from './legacy-handler.ts';
import type { WebhookMetrics } from './metrics.ts';
import { createPublishHandler } from './publish-handler.ts';

/** Creates the Express app that accepts the calls of publishers. */
export function createWebhookApp(deps: {
  config: WebhookConfig;
  publisher: ClusterPublisher;
  metrics: WebhookMetrics;
  logger: Logger;
}): Express {
  const { config, publisher, metrics, logger } = deps;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.use(createMeasure({ metrics }), createDiscardRest(), doNotCache);
  app.all(
    '/webhook',
    allowMethods('POST'),
    createAuthenticate({ tokens: config.tokens }),
    createPublishHandler({ publisher, metrics }),
  );
  if (config.legacy) {
    app.all(
      '/update_webhook.cgi',
      allowMethods('GET', 'POST'),
      createLegacyHandler({ publisher, metrics, topic: config.defaultTopic }),
    );
  }
  app.use(() => {
    throw new AppError('not_found');
  });
  app.use(createErrorHandler({ logger }));
  return app;
}

/** HEAD is not allowed along with GET, as Express would have it: here a GET has an effect. */
function allowMethods(...methods: readonly string[]): RequestHandler {
  return (request, response, next) => {
    if (methods.includes(request.method)) return next();
    response.setHeader('Allow', methods.join(', '));
    throw new AppError('method_not_allowed');
  };
}

function createMeasure(deps: { metrics: WebhookMetrics }): RequestHandler {
  return (_request, response, next) => {
    const begun = performance.now();
    response.once('close', () => {
      const status = response.writableFinished ? response.statusCode : undefined;
      deps.metrics.requestEnded(status, (performance.now() - begun) / 1000);
    });
    next();
  };
}

const doNotCache: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
