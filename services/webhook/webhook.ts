import type { Answers, Publishing } from '../shared/broker/broker.ts';
import { ClusterPublisher } from '../shared/broker/cluster-publisher.ts';
import type { Clock } from '../shared/process/clock.ts';
import { createHttpServer, type HttpServer } from '../shared/process/http-server.ts';
import type { Logger } from '../shared/process/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { createWebhookApp } from './app.ts';
import type { WebhookConfig } from './config.ts';
import { createWebhookMetrics } from './metrics.ts';

/** Creates the service that publishers call. The broker is started before it and stopped after it, by its owner. */
export function createWebhook(deps: {
  config: WebhookConfig;
  broker: Publishing & Answers;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
}): HttpServer {
  const { config, broker, registry, logger, clock } = deps;
  const publisher = new ClusterPublisher({ broker, clock });
  const app = createWebhookApp({
    config,
    publisher,
    answers: broker,
    clock,
    metrics: createWebhookMetrics({ registry }),
    logger,
  });
  const server = createHttpServer({ handler: app, host: config.host, port: config.port });
  return {
    start() {
      publisher.start();
      return server.start();
    },
    async stop() {
      await server.stop();
      publisher.stop();
    },
  };
}
