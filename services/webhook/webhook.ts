import type { Tracer } from '@opentelemetry/api';
import type { BrokerFeed, BrokerPublisher, IdempotencyStore } from '../shared/broker/broker.ts';
import type { ReceiptQuerier } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import { createHttpServer, type HttpServer } from '../shared/http/http-server.ts';
import type { Logger } from '../shared/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { NO_TRACER } from '../shared/trace/no-tracer.ts';
import { NO_STATS, type ServiceStats } from '../shared/trace/service-stats.ts';
import { createWebhookApp } from './app.ts';
import { ClusterPublisher } from './cluster-publisher.ts';
import type { WebhookConfig } from './config.ts';
import { createWebhookMetrics } from './metrics.ts';
import { ReceiptDesk } from './receipt-desk.ts';

/** What a webhook needs of a broker. */
export type WebhookBroker = BrokerPublisher &
  IdempotencyStore &
  Pick<BrokerFeed, 'read'> & { readonly receipts: ReceiptQuerier };

/** Creates the service that publishers call. The broker is started before it and stopped after it, by its owner. */
export function createWebhook(deps: {
  config: WebhookConfig;
  broker: WebhookBroker;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  stats?: ServiceStats;
  /** What calls of the broker are recorded with. */
  brokerTracer?: Tracer;
}): HttpServer {
  const { config, broker, registry, logger, clock, stats = NO_STATS, brokerTracer = NO_TRACER } = deps;
  const publisher = new ClusterPublisher({ broker, clock });
  const metrics = createWebhookMetrics({ registry });
  const { maxWaitingCalls: maxWaiting } = config;
  const desk = new ReceiptDesk({ receipts: broker.receipts, clock, maxWaiting, report: metrics });
  const app = createWebhookApp({
    config,
    publisher,
    answers: broker,
    registers: broker,
    desk,
    clock,
    metrics,
    logger,
    stats,
    brokerTracer,
  });
  const server = createHttpServer({
    handler: app,
    host: config.host,
    port: config.port,
    headerTimeoutMs: config.headerTimeoutMs,
    refused: (status) => metrics.requestRefused(status),
  });
  return {
    start() {
      publisher.start();
      return server.start();
    },
    async stop() {
      desk.close();
      await server.stop();
      publisher.stop();
    },
  };
}
