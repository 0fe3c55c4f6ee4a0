import type { Tracer } from '@opentelemetry/api';
import express, { type Express } from 'express';
import helmet from 'helmet';
import type { BrokerFeed, IdempotencyStore } from '../shared/broker/broker.ts';
import type { Clock } from '../shared/clock.ts';
import { AppError } from '../shared/errors.ts';
import { allowMethods } from '../shared/express/allow-methods.ts';
import { createDiscardRest } from '../shared/express/discard-rest.ts';
import { doNotCache } from '../shared/express/do-not-cache.ts';
import { createErrorHandler } from '../shared/express/error-handler.ts';
import { createMeasure } from '../shared/express/measure.ts';
import { assignRequestId } from '../shared/express/request-id.ts';
import type { Logger } from '../shared/logger.ts';
import type { ServiceStats } from '../shared/trace/service-stats.ts';
import { createAnswerOnce } from './answer-once.ts';
import { createAuthenticate } from './authenticate.ts';
import type { ClusterPublisher } from './cluster-publisher.ts';
import type { WebhookConfig } from './config.ts';
import { createTokenCredential } from './credential.ts';
import { createLegacyHandler } from './legacy-handler.ts';
import type { WebhookMetrics } from './metrics.ts';
import { createPublishHandler } from './publish-handler.ts';
import { createRateLimit } from './rate-limit.ts';
import type { ReceiptDesk } from './receipt-desk.ts';
import { createReceiptsHandler } from './receipts-handler.ts';

/** Creates the Express app that accepts the calls of publishers. */
export function createWebhookApp(deps: {
  config: WebhookConfig;
  publisher: ClusterPublisher;
  answers: IdempotencyStore;
  registers: Pick<BrokerFeed, 'read'>;
  desk: ReceiptDesk;
  clock: Clock;
  metrics: WebhookMetrics;
  logger: Logger;
  stats: ServiceStats;
  brokerTracer: Tracer;
}): Express {
  const { config, publisher, answers, registers, desk, clock, metrics, logger, stats, brokerTracer } = deps;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  // Nobody shows these answers as a page; whoever does may do nothing with them.
  const headers = helmet({ contentSecurityPolicy: { useDefaults: false, directives: { 'default-src': ["'none'"] } } });
  app.use(assignRequestId, stats.recordRequests);
  app.use(createMeasure({ report: metrics }), createDiscardRest(), doNotCache, headers);
  const authenticate = createAuthenticate({
    secrets: config.secrets,
    tokens: config.tokens.map(createTokenCredential),
    nowMs: () => clock.nowMs(),
  });
  const limitRate = createRateLimit({ callsPerSecond: config.callsPerSecond });
  const answerOnce = createAnswerOnce({ answers, logger, tracer: brokerTracer });
  app.all(
    '/webhook',
    allowMethods('POST'),
    createPublishHandler({
      publisher,
      metrics,
      authenticate,
      limitRate,
      answerOnce,
      desk,
      tracer: stats.tracer,
      brokerTracer,
    }),
  );
  app.all(
    '/updates/:version',
    allowMethods('GET'),
    createReceiptsHandler({ desk, registers, authenticate, limitRate }),
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
