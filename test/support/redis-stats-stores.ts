import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import { RedisStatsStore } from '../../services/stats/store/redis-stats-store.ts';
import type { StatsStore, StoreLimits } from '../../services/stats/store/stats-store.ts';
import { randomPrefix } from './random-prefix.ts';

/** Creates statistics stores of one cluster, in the Redis named by `env`. */
export function redisStatsStores(env: Readonly<Record<string, string>>): { connect(limits?: StoreLimits): StatsStore } {
  const reader = new EnvReader({ HELIOGRAPH_PREFIX: randomPrefix(), PARTITIONS: '4', ...env });
  const config = requireRedisConfig(reader);
  reader.finish();
  return { connect: (limits) => new RedisStatsStore({ config, ...(limits && { limits }) }) };
}
