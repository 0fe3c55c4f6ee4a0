import { SYSTEM_CLOCK } from '../shared/clock.ts';
import { readRedisConfig } from '../shared/config/redis-config.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { readStatsConfig } from '../stats/config.ts';
import { createStats, mountStatsPages } from '../stats/stats.ts';
import { createChat } from './chat.ts';
import { readChatConfig } from './config.ts';

await runProcess({
  name: 'chat',
  env: process.env,
  defaultAdminPort: 9103,
  // The chat needs Redis only to share its call statistics with the rest of the cluster.
  readConfig: (env) => ({ chat: readChatConfig(env), stats: readStatsConfig(env), redis: readRedisConfig(env) }),
  ports: ({ chat: { host, port } }) => [{ host, port, setting: 'CHAT' }],
  async main({ config, lifecycle, logger, registry, admin }) {
    const clock = SYSTEM_CLOCK;
    const { redis } = config;
    const stats = await createStats({ config: config.stats, name: 'chat', redis, registry, logger, clock });
    mountStatsPages(admin, stats);
    await lifecycle.start('statistics', stats);
    const defaults = { webhookUrl: 'http://localhost:8090/webhook', relayPort: 8080 };
    const chat = createChat({
      config: config.chat,
      defaults,
      registry,
      logger,
      clock,
      stats: stats.service('chat', { followsCalls: true }),
    });
    const port = await lifecycle.start('chat', chat);
    logger.info({ port }, 'chat is listening');
  },
});
