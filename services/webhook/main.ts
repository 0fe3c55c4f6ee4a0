import { createBrokerMetrics } from '../shared/broker/metrics.ts';
import { RedisBroker } from '../shared/broker/redis/redis-broker.ts';
import { SYSTEM_CLOCK } from '../shared/clock.ts';
import { addressOf } from '../shared/http/address-of.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readStatsConfig } from '../stats/config.ts';
import { createStats, mountStatsPages } from '../stats/stats.ts';
import { readWebhookProcessConfig } from './config.ts';
import { createWebhook } from './webhook.ts';

await runProcess({
  name: 'webhook',
  env: process.env,
  defaultAdminPort: 9102,
  readConfig: (env) => ({ ...readWebhookProcessConfig(env), stats: readStatsConfig(env) }),
  ports: ({ webhook: { host, port } }) => [{ host, port, setting: 'WEBHOOK' }],
  async main({ config, lifecycle, logger, registry, health, admin, abort }) {
    const clock = SYSTEM_CLOCK;
    const { redis } = config;
    const stats = await createStats({ config: config.stats, name: 'webhook', redis, registry, logger, clock });
    mountStatsPages(admin, stats);
    await lifecycle.start('statistics', stats);
    const report = createBrokerMetrics({ registry, logger });
    const connected = health.require('redis');
    const broker = new RedisBroker({
      config: redis,
      report: {
        ...report,
        linkUp(link) {
          report.linkUp(link);
          connected();
        },
      },
      abort,
    });
    const webhook = createWebhook({
      config: config.webhook,
      broker,
      brokerTracer: stats.tracer('redis'),
      registry,
      logger,
      clock,
      stats: stats.service('webhook', { trustsCallers: 'verified' }),
    });
    await lifecycle.start('broker', broker);
    const port = await lifecycle.start('webhook', webhook);
    stats.setAddresses({ webhook: { port, callUrl: `http://${addressOf(config.webhook.host, port)}/webhook` } });
    logger.info({ port }, 'the webhook listens');
  },
});
