import { randomBytes } from 'node:crypto';
import { createChat } from '../chat/chat.ts';
import { type ChatConfig, readChatConfig } from '../chat/config.ts';
import { readRelayConfig } from '../relay/config.ts';
import { createRelay } from '../relay/relay.ts';
import { MemoryBroker } from '../shared/broker/memory-broker.ts';
import { createBrokerMetrics } from '../shared/broker/metrics.ts';
import { RedisBroker } from '../shared/broker/redis/redis-broker.ts';
import { SYSTEM_CLOCK } from '../shared/clock.ts';
import type { EnvReader } from '../shared/config/env-reader.ts';
import { readRedisConfig } from '../shared/config/redis-config.ts';
import { addressOf } from '../shared/http/address-of.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readStatsConfig } from '../stats/config.ts';
import { createStats, mountStatsPages } from '../stats/stats.ts';
import { readWebhookConfig, type WebhookConfig } from '../webhook/config.ts';
import { parseSigningSecret } from '../webhook/credential.ts';
import { createWebhook } from '../webhook/webhook.ts';
import { type Store, welcome } from './welcome.ts';

/**
 * Reads the settings of all services. If the environment has no token, the webhook gets a random one; without Redis, so do
 * the pages of call statistics. Unless the chat has credentials of its own, it gets a random secret that permits only its topic.
 */
function readConfig(env: EnvReader) {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const [token, statsToken] = [randomBytes(18).toString('base64url'), randomBytes(18).toString('base64url')];
  const redis = readRedisConfig(env);
  // A cluster has a token of its own, or none.
  const stats = readStatsConfig(env, redis ? {} : { token: statsToken });
  const chat = readChatConfig(env, { secret });
  const webhook = readWebhookConfig(env, { token });
  return {
    // A token of the operator must not end up in logs.
    printedToken: webhook.tokens.includes(token) ? token : undefined,
    webhook: chat.webhookUrl === undefined ? withCredentialOf(chat, webhook) : webhook,
    relay: readRelayConfig(env, { drainWindow: '1s' }),
    chat,
    redis,
    stats,
    printedStatsToken: stats.token === statsToken ? statsToken : undefined,
  };
}

/** Makes the webhook accept the calls of the chat, also if its credential is not among those of the webhook. */
function withCredentialOf({ credential, topic }: ChatConfig, webhook: WebhookConfig): WebhookConfig {
  if ('token' in credential) {
    return { ...webhook, tokens: [...new Set([...webhook.tokens, credential.token])] };
  }
  const own = parseSigningSecret(`${credential.secret}@${topic}`);
  const isKnown = webhook.secrets.some(({ id }) => id === own?.id);
  return own && !isKnown ? { ...webhook, secrets: [...webhook.secrets, own] } : webhook;
}

await runProcess({
  name: 'heliograph',
  env: process.env,
  defaultAdminPort: 9101,
  readConfig,
  ports: ({ webhook, relay, chat }) => [
    { host: webhook.host, port: webhook.port, setting: 'WEBHOOK' },
    { host: relay.host, port: relay.port, setting: 'RELAY' },
    { host: chat.host, port: chat.port, setting: 'CHAT' },
  ],
  async main({ config, lifecycle, logger, registry, health, admin, adminPort, abort }) {
    const { redis } = config;
    const clock = SYSTEM_CLOCK;
    const stats = await createStats({ config: config.stats, name: 'heliograph', redis, registry, logger, clock });
    mountStatsPages(admin, stats);
    await lifecycle.start('statistics', stats);
    let store: Store = redis ? { unusable: 'it has not replied' } : 'memory';
    const report = createBrokerMetrics({ registry, logger });
    const broker = redis
      ? new RedisBroker({
          config: redis,
          report: {
            ...report,
            linkUp(link) {
              report.linkUp(link);
              if (link === 'commands') store = 'redis';
            },
            linkFailed(link, reason) {
              report.linkFailed(link, reason);
              if (link === 'commands') store = { unusable: reason };
            },
          },
          abort,
        })
      : new MemoryBroker({ dataTtlMs: config.webhook.dataTtlMs });
    const shared = { registry, logger, clock };
    const relay = createRelay({
      ...shared,
      config: config.relay,
      feed: broker,
      fresh: health.require('fresh'),
      stats: stats.service('relay', {
        facts: () => relay.facts(),
        topics: (search, limit) => relay.hub.listTopics(search, limit),
      }),
    });
    const webhook = createWebhook({
      ...shared,
      config: config.webhook,
      broker,
      brokerTracer: stats.tracer(redis ? 'redis' : 'memory'),
      stats: stats.service('webhook', { trustsCallers: 'verified' }),
    });
    await lifecycle.start('broker', broker);
    const webhookPort = await lifecycle.start('webhook', webhook);
    const relayPort = await lifecycle.start('relay', relay);
    const webhookUrl = `http://${addressOf(config.webhook.host, webhookPort)}/webhook`;
    const defaults = { webhookUrl, relayPort };
    stats.setAddresses({
      relay: { port: relayPort, tls: config.relay.tls !== undefined },
      webhook: { port: webhookPort, callUrl: webhookUrl },
    });
    const chat = createChat({
      ...shared,
      config: config.chat,
      defaults,
      stats: stats.service('chat', { followsCalls: true }),
    });
    const chatPort = await lifecycle.start('chat', chat);
    const text = welcome({
      ports: { webhook: webhookPort, relay: relayPort, chat: chatPort, admin: adminPort },
      token: config.printedToken,
      topic: config.chat.topic,
      store,
      statsToken: config.printedStatsToken,
      hasStats: stats.pages !== undefined,
    });
    process.stdout.write(text);
  },
});
