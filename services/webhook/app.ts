import express, { type Express, type RequestHandler } from 'express';
import type { Answers } from '../shared/broker/broker.ts';
import type { ClusterPublisher } from '../shared/broker/cluster-publisher.ts';
import { AppError } from '../shared/errors.ts';
import type { Clock } from '../shared/process/clock.ts';
import type { Logger } from '../shared/process/logger.ts';
import { createAnswerOnce } from './answer-once.ts';
import { createAuthenticate } from './authenticate.ts';
import type { WebhookConfig } from './config.ts';
import { createTokenCredential } from './credential.ts';
import { createDiscardRest } from './discard-rest.ts';
import { createErrorHandler } from './error-handler.ts';
import { createLegacyHandler } from './legacy-handler.ts';
import type { WebhookMetrics } from './metrics.ts';
import { createPublishHandler } from './publish-handler.ts';
import { createRateLimit } from './rate-limit.ts';

/** Creates the Express app that accepts the calls of publishers. */
export function createWebhookApp(deps: {
  config: WebhookConfig;
  publisher: ClusterPublisher;
  answers: Answers;
  clock: Clock;
  metrics: WebhookMetrics;
  logger: Logger;
}): Express {
  const { config, publisher, answers, clock, metrics, logger } = deps;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.use(createMeasure({ metrics }), createDiscardRest(), doNotCache);
  app.all(
    '/webhook',
    allowMethods('POST'),
    createPublishHandler({
      publisher,
      metrics,
      authenticate: createAuthenticate({
        secrets: config.secrets,
        tokens: config.tokens.map(createTokenCredential),
        nowMs: () => clock.nowMs(),
      }),
      limitRate: createRateLimit({ callsPerSecond: config.callsPerSecond }),
      answerOnce: createAnswerOnce({ answers, logger }),
    }),
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
