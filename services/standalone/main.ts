import { randomBytes } from 'node:crypto';
import { createChat } from '../chat/chat.ts';
import { readChatConfig } from '../chat/config.ts';
import { readRelayConfig } from '../relay/config.ts';
import { createRelay } from '../relay/relay.ts';
import { MemoryBroker } from '../shared/broker/memory-broker.ts';
import { createBrokerMetrics } from '../shared/broker/metrics.ts';
import { RedisBroker } from '../shared/broker/redis-broker.ts';
import type { EnvReader } from '../shared/config/env-reader.ts';
import { readRedisConfig } from '../shared/config/redis-config.ts';
import { SYSTEM_CLOCK } from '../shared/process/clock.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readWebhookConfig } from '../webhook/config.ts';
import { createWebhook } from '../webhook/webhook.ts';
import { welcome } from './welcome.ts';

/** Reads everything; a webhook without a token gets a random one, which the welcome shows. */
function readConfig(env: EnvReader) {
  const token = randomBytes(18).toString('base64url');
  const webhook = readWebhookConfig(env, { token });
  return {
    webhook,
    relay: readRelayConfig(env, { drainWindow: '1s' }),
    chat: readChatConfig(env, { webhookPort: webhook.port, webhookToken: webhook.tokens[0] ?? token }),
    redis: readRedisConfig(env),
  };
}

await runProcess({
  name: 'heliograph',
  env: process.env,
  defaultAdminPort: 9101,
  readConfig,
  async main({ config, lifecycle, logger, registry, health, refuse }) {
    const broker = config.redis
      ? new RedisBroker({ config: config.redis, report: createBrokerMetrics({ registry, logger }), refuse })
      : new MemoryBroker();
    const shared = { registry, logger, clock: SYSTEM_CLOCK };
    const relay = createRelay({ ...shared, config: config.relay, feed: broker, fresh: health.require('fresh') });
    const webhook = createWebhook({ ...shared, config: config.webhook, broker });
    const chat = createChat({ ...shared, config: config.chat });
    await lifecycle.start('broker', broker);
    const ports = {
      webhook: await lifecycle.start('webhook', webhook),
      relay: await lifecycle.start('relay', relay),
      chat: await lifecycle.start('chat', chat),
    };
    process.stdout.write(welcome({ ports, token: config.webhook.tokens[0] ?? '', inMemory: !config.redis }));
  },
});
