import type { Tracer } from '@opentelemetry/api';
import express, { type RequestHandler } from 'express';
import helmet from 'helmet';
import type { BrokerFeed, BrokerPublisher, IdempotencyStore } from '../shared/broker/broker.ts';
import type { ReceiptQuerier } from '../shared/broker/receipts.ts';
import { REGISTER_TTL_MS, RESPONSE_TTL_MS } from '../shared/broker/retention.ts';
import type { Clock } from '../shared/clock.ts';
import { OPENAPI_PATH } from '../shared/contract/openapi.ts';
import { AppError } from '../shared/errors.ts';
import { allowMethods } from '../shared/express/allow-methods.ts';
import { serveBytes } from '../shared/express/assets.ts';
import { createDiscardRest } from '../shared/express/discard-rest.ts';
import { doNotCache } from '../shared/express/do-not-cache.ts';
import { createErrorHandler } from '../shared/express/error-handler.ts';
import { createMeasure } from '../shared/express/measure.ts';
import { assignRequestId } from '../shared/express/request-id.ts';
import { serveRoot } from '../shared/express/serve-root.ts';
import { createClientAddressReader } from '../shared/http/client-address.ts';
import { createHttpServer, type HttpServer } from '../shared/http/http-server.ts';
import { BodyReader } from '../shared/http/read-body.ts';
import type { RootDescription } from '../shared/http/root-page.ts';
import { createUntrustedProxyLog } from '../shared/http/untrusted-proxy-log.ts';
import type { Logger } from '../shared/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { NO_TRACER } from '../shared/trace/no-tracer.ts';
import { NO_STATS, type ServiceStats } from '../shared/trace/service-stats.ts';
import { createAuthenticate } from './authenticate.ts';
import { ClusterPublisher } from './cluster-publisher.ts';
import type { WebhookConfig } from './config.ts';
import { createTokenCredential } from './credential.ts';
import { DeliveryReceipts } from './delivery-receipts.ts';
import { FailureLimit } from './failure-limit.ts';
import { createIdempotency } from './idempotency.ts';
import { createLegacyHandler } from './legacy-handler.ts';
import { createWebhookMetrics } from './metrics.ts';
import { WEBHOOK_OPENAPI_PATH, webhookOpenApi } from './openapi.ts';
import { createReadPublishCall } from './publish-call.ts';
import { createPublishHandlers } from './publish-handler.ts';
import { createRateLimit } from './rate-limit.ts';
import { createReceiptsHandler } from './receipts-handler.ts';
import { hidePathToken } from './sources/path-token.ts';
import { createReadSourceCall } from './sources/source-call.ts';
import { createStorageLimit } from './storage-limit.ts';
import { createReadTopicCall, hasTopicParameter } from './topic-call.ts';
import { createVersionsHandler } from './versions-handler.ts';

/** The largest body of which nothing or only a part is published, and all such bodies that may be in flight. */
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_BODIES_BYTES = 16 * MAX_BODY_BYTES;

const ROOT: RootDescription = {
  service: 'webhook',
  text: 'Publishers call it, with credentials, to publish updates to all subscribers of a topic.',
  links: [
    { href: 'POST /webhook/{topic}', text: 'Publishes an update of a topic, with any body.', isCall: true },
    { href: 'POST /webhook', text: 'Publishes an update of one topic or several, as JSON.', isCall: true },
    { href: 'POST /hooks/{source}', text: 'Takes the webhooks of GitHub, Stripe and others.', isCall: true },
    { href: OPENAPI_PATH, text: 'Every call, in OpenAPI 3.1.' },
  ],
};

const PATHS =
  'Publish by POST to /webhook, /webhook/<topic>, or /hooks/<name> of a source in WEBHOOK_SOURCES; /openapi.json describes all paths. Relays serve /ws, /events, /topics/ and /client.js, at another port or host';

/** The parts of a broker that a webhook uses. */
export type WebhookBroker = BrokerPublisher &
  IdempotencyStore &
  Pick<BrokerFeed, 'read'> & { readonly receipts: ReceiptQuerier };

/**
 * Creates the service that publishers call. The caller starts the broker before it, and stops the broker after it.
 *
 * @param deps.stats records calls; by default nothing is recorded
 * @param deps.brokerTracer records calls of the broker
 */
export function createWebhook(deps: {
  config: WebhookConfig;
  broker: WebhookBroker;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  stats?: ServiceStats;
  brokerTracer?: Tracer;
}): HttpServer {
  const { config, broker, registry, logger, clock, stats = NO_STATS, brokerTracer = NO_TRACER } = deps;
  const metrics = createWebhookMetrics({ registry, logger, sources: config.sources.keys() });
  const publisher = new ClusterPublisher({ broker, clock, report: metrics });
  const receipts = new DeliveryReceipts({
    querier: broker.receipts,
    floors: (topics, seen) => publisher.floors(topics, seen),
    clock,
    maxCalls: config.maxWaitingCalls,
    report: metrics,
  });
  const failures = new FailureLimit({
    readAddress: createClientAddressReader(config.trustedProxies, createUntrustedProxyLog({ logger, clock })),
    report: metrics,
    nowMs: () => clock.monotonicMs(),
  });
  const authenticate = createAuthenticate({
    secrets: config.secrets,
    tokens: config.tokens.map(createTokenCredential),
    failures,
    nowMs: () => clock.nowMs(),
  });
  const rateLimit = createRateLimit({
    pointsPerSecond: config.pointsPerSecond,
    nowMs: () => clock.monotonicMs(),
    report: metrics,
  });
  const storageLimit = createStorageLimit({
    maxBytes: config.maxStoredBytes,
    dataTtlMs: config.dataTtlMs,
    registerTtlMs: REGISTER_TTL_MS,
    responseTtlMs: RESPONSE_TTL_MS,
    report: metrics,
    nowMs: () => clock.monotonicMs(),
  });
  const publishHandler = createPublishHandlers({
    publisher,
    rateLimit,
    storageLimit,
    idempotent: createIdempotency({ store: broker, logger, clock, tracer: brokerTracer }),
    receipts,
    metrics,
    tracer: stats.tracer,
    brokerTracer,
  });
  const readPublishCall = createReadPublishCall({ authenticate });
  const bodies = new BodyReader({ maxBytes: MAX_BODY_BYTES, maxTotalBytes: MAX_BODIES_BYTES });
  const readTopicCall = createReadTopicCall({ authenticate, bodies });
  const readSourceCall = createReadSourceCall({
    sources: config.sources,
    failures,
    bodies,
    report: metrics,
    nowMs: () => clock.nowMs(),
  });

  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.use(assignRequestId, stats.recordRequests, createMeasure({ report: metrics }), createDiscardRest(), doNotCache);
  // Responses are never shown as pages; if one is, it may load nothing.
  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: { 'default-src': ["'none'"] } } }));
  app.all(
    '/webhook',
    allowMethods('POST'),
    publishHandler((request) => (hasTopicParameter(request) ? readTopicCall(request) : readPublishCall(request))),
  );
  const description = Buffer.from(JSON.stringify(webhookOpenApi({ legacy: config.legacy })));
  const serveDescription = [allowEveryOrigin, serveBytes(description, 'application/json')];
  app.get(WEBHOOK_OPENAPI_PATH, serveDescription); // POST publishes a topic of this name
  app.all('/webhook/*topic', allowMethods('POST'), publishHandler(readTopicCall));
  app.all('/hooks/:name', allowMethods('POST'), publishHandler(readSourceCall));
  app.all(
    '/updates/current',
    allowMethods('GET', 'HEAD'),
    createVersionsHandler({ publisher, authenticate, rateLimit }),
  );
  app.all(
    '/updates/:version',
    allowMethods('GET', 'HEAD'),
    createReceiptsHandler({ receipts, registers: broker, authenticate, rateLimit }),
  );
  if (config.legacy) {
    app.all(
      '/update_webhook.cgi',
      allowMethods('GET', 'POST'),
      createLegacyHandler({ publisher, metrics, topic: config.defaultTopic }),
    );
  }
  app.all(OPENAPI_PATH, allowMethods('GET', 'HEAD'), serveDescription);
  app.all('/', allowMethods('GET', 'HEAD'), serveRoot(ROOT));
  app.use(() => {
    throw new AppError('not_found', PATHS);
  });
  app.use(createErrorHandler({ logger, logsRefusals: true }));

  const server = createHttpServer({
    handler(request, response) {
      hidePathToken(request);
      app(request, response);
    },
    host: config.host,
    port: config.port,
    headerTimeoutMs: config.headerTimeoutMs,
    isAllowedHost: config.isAllowedHost,
    refused: (status, code) => metrics.requestRefused(status, code),
  });
  return {
    start() {
      publisher.start();
      return server.start();
    },
    prepareStop: server.prepareStop,
    async stop() {
      receipts.close();
      await server.stop();
      publisher.stop();
    },
  };
}

/** Lets pages of every origin read a response that has no secrets, such as those that render API descriptions. */
const allowEveryOrigin: RequestHandler = (_request, response, next) => {
  response.set({ 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' });
  next();
};
