import { createBrokerMetrics } from '../shared/broker/metrics.ts';
import { RedisBroker } from '../shared/broker/redis-broker.ts';
import { SYSTEM_CLOCK } from '../shared/process/clock.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readWebhookProcessConfig } from './config.ts';
import { createWebhook } from './webhook.ts';

await runProcess({
  name: 'webhook',
  env: process.env,
  defaultAdminPort: 9102,
  readConfig: readWebhookProcessConfig,
  async main({ config, lifecycle, logger, registry, refuse }) {
    const broker = new RedisBroker({ config: config.redis, report: createBrokerMetrics({ registry, logger }), refuse });
    const webhook = createWebhook({ config: config.webhook, broker, registry, logger, clock: SYSTEM_CLOCK });
    await lifecycle.start('broker', broker);
    const port = await lifecycle.start('webhook', webhook);
    logger.info({ port }, 'the webhook listens');
  },
});
