import { Publisher } from '../client/publisher.ts';
import type { Clock } from '../shared/clock.ts';
import { createHttpServer, type HttpServer } from '../shared/http/http-server.ts';
import type { Logger } from '../shared/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { NO_STATS, type ServiceStats } from '../shared/trace/service-stats.ts';
import { createChatApp } from './app.ts';
import { CommentStore } from './comment-store.ts';
import type { ChatConfig } from './config.ts';
import { createChatMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';
import { createRelayUrl } from './relay-url.ts';

/** Where the other two services are, as long as the configuration does not say otherwise. */
export interface Neighbours {
  readonly webhookUrl: string;
  /** The relay's port on the host at which browsers find this chat. */
  readonly relayPort: number;
}

/** Creates the demo: a web app like any other, which calls the webhook over HTTP and sends its browsers to a relay. */
export function createChat(deps: {
  config: ChatConfig;
  neighbours: Neighbours;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  stats?: ServiceStats;
}): HttpServer {
  const { config, neighbours, registry, logger, clock, stats = NO_STATS } = deps;
  const { topic } = config;
  const metrics = createChatMetrics({ registry });
  const store = new CommentStore({ file: config.database, nowMs: () => clock.nowMs() });
  const publisher = new Publisher({
    url: config.webhookUrl ?? neighbours.webhookUrl,
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
    patienceMs: config.webhookTimeoutMs,
    clock,
    logger,
    report: metrics,
  });
  const relayUrl = createRelayUrl({ url: config.relayUrl, port: neighbours.relayPort });
  const app = createChatApp({ store, outbox, topic, relayUrl, metrics, logger, stats });
  const server = createHttpServer({
    handler: app,
    host: config.host,
    port: config.port,
    headerTimeoutMs: config.headerTimeoutMs,
    refused: (status) => metrics.requestRefused(status),
  });
  return {
    async start() {
      store.open();
      const port = await server.start();
      outbox.start();
      return port;
    },
    async stop() {
      outbox.stop();
      await server.stop();
      store.close();
    },
  };
}
