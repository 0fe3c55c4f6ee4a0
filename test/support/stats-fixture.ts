import { Registry } from 'prom-client';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { readRedisConfig } from '../../services/shared/config/redis-config.ts';
import { createLogger } from '../../services/shared/logger.ts';
import { createAdminServer } from '../../services/shared/process/admin-server.ts';
import { Health } from '../../services/shared/process/health.ts';
import { readStatsConfig } from '../../services/stats/config.ts';
import { createStats, mountStatsPages } from '../../services/stats/stats.ts';

/** Starts call statistics in this process, with their pages on an admin port on loopback. Without Redis in `env`, records stay in memory. */
export async function startStats(env: Readonly<Record<string, string>> = {}) {
  const reader = new EnvReader(env);
  const registry = new Registry();
  const logger = createLogger({ name: 'stats', level: 'silent' });
  const config = readStatsConfig(reader);
  const redis = readRedisConfig(reader);
  const stats = await createStats({ config, name: 'tests', redis, registry, logger, clock: SYSTEM_CLOCK });
  await stats.start();
  const admin = createAdminServer({
    name: 'tests',
    host: '127.0.0.1',
    port: 0,
    registry,
    health: new Health(),
    logger,
  });
  mountStatsPages(admin, stats);
  const port = await admin.start();
  return {
    stats,
    registry,
    url: `http://127.0.0.1:${port}`,
    /** Requests a page with the token. */
    get: (path: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { authorization: `Bearer ${env.STATS_TOKEN}`, ...headers },
        redirect: 'manual',
      }),
    async stop() {
      await admin.stop();
      await stats.stop();
    },
  };
}
