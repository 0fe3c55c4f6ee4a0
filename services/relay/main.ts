import { createBrokerMetrics } from '../shared/broker/metrics.ts';
import { RedisBroker } from '../shared/broker/redis-broker.ts';
import { SYSTEM_CLOCK } from '../shared/process/clock.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readRelayProcessConfig } from './config.ts';
import { createRelay } from './relay.ts';

await runProcess({
  name: 'relay',
  env: process.env,
  defaultAdminPort: 9101,
  readConfig: readRelayProcessConfig,
  async main({ config, lifecycle, logger, registry, health, refuse }) {
    const broker = new RedisBroker({ config: config.redis, report: createBrokerMetrics({ registry, logger }), refuse });
    const fresh = health.require('fresh');
    const relay = createRelay({ config: config.relay, feed: broker, registry, clock: SYSTEM_CLOCK, fresh });
    await lifecycle.start('broker', broker);
    const port = await lifecycle.start('relay', relay);
    logger.info({ port }, 'the relay listens');
  },
});
