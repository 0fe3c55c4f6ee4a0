import { Publisher } from '../client/publisher.ts';
import type { Clock } from '../shared/clock.ts';
import { createHttpServer, type HttpServer } from '../shared/http/http-server.ts';
import { createServiceUrl } from '../shared/http/service-url.ts';
import type { Logger } from '../shared/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { NO_STATS, type ServiceStats } from '../shared/trace/service-stats.ts';
import { createChatApp } from './app.ts';
import { createCommentLimit } from './comment-limit.ts';
import { CommentStore } from './comment-store.ts';
import type { ChatConfig } from './config.ts';
import { createChatMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';

/** Addresses of the other two services, used unless the configuration sets others. */
export interface DefaultAddresses {
  readonly webhookUrl: string;
  /** Port of the relay on the host of the page's URL. */
  readonly relayPort: number;
}

/** Creates the demo: an ordinary web app that calls the webhook over HTTP and points its browsers to a relay. */
export function createChat(deps: {
  config: ChatConfig;
  defaults: DefaultAddresses;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  stats?: ServiceStats;
}): HttpServer {
  const { config, defaults, registry, logger, clock, stats = NO_STATS } = deps;
  const { topic } = config;
  const metrics = createChatMetrics({ registry });
  const store = new CommentStore({ file: config.database, nowMs: () => clock.nowMs() });
  const publisher = new Publisher({
    url: config.webhookUrl ?? defaults.webhookUrl,
    timeoutMs: config.webhookTimeoutMs,
    ...config.credential,
  });
  const outbox = new Outbox({
    store,
    topic,
    async publish() {
      const [update] = await publisher.publish(topic);
      return update?.version ?? 0;
    },
    timeoutMs: config.webhookTimeoutMs,
    clock,
    logger,
    report: metrics,
  });
  const relayUrl = createServiceUrl({ url: config.relayUrl, port: defaults.relayPort });
  const limitRate = createCommentLimit({ ...config, logger, clock });
  const app = createChatApp({ limitRate, store, outbox, topic, relayUrl, metrics, logger, stats });
  const server = createHttpServer({
    handler: app,
    host: config.host,
    port: config.port,
    headerTimeoutMs: config.headerTimeoutMs,
    isAllowedHost: config.isAllowedHost,
    refused: (status, code) => metrics.requestRefused(status, code),
  });
  return {
    async start() {
      store.open();
      const port = await server.start();
      outbox.start();
      return port;
    },
    prepareStop: server.prepareStop,
    async stop() {
      outbox.stop();
      await server.stop();
      store.close();
    },
  };
}
