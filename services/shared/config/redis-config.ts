import type { EnvReader } from './env-reader.ts';

/** Where Redis is and how this cluster uses it. All processes of a cluster must agree on the prefix and the partitions. */
export interface RedisConfig {
  readonly url: string;
  /** What every key begins with. */
  readonly prefix: string;
  /** Over how many hash tags the topics are spread. */
  readonly partitions: number;
  /** Milliseconds after which a call to Redis has failed. */
  readonly timeoutMs: number;
}

export const DEFAULT_PREFIX = 'heliograph';
export const DEFAULT_PARTITIONS = 16;

/** Reads where Redis is; undefined where the environment names none. */
export function readRedisConfig(env: EnvReader): RedisConfig | undefined {
  const url = env.optional('REDIS_URL');
  const prefix = env.string('HELIOGRAPH_PREFIX', DEFAULT_PREFIX);
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) env.fail('HELIOGRAPH_PREFIX', 'must be 1 to 64 of A-Z a-z 0-9 . _ : -');
  const partitions = env.integer('PARTITIONS', { default: DEFAULT_PARTITIONS, min: 1, max: 256 });
  const timeoutMs = env.durationMs('REDIS_TIMEOUT', { default: '2s', minMs: 100, maxMs: 30_000 });
  if (url !== undefined && !/^rediss?:\/\//.test(url)) env.fail('REDIS_URL', 'must begin with redis:// or rediss://');
  return url === undefined ? undefined : Object.freeze({ url, prefix, partitions, timeoutMs });
}

/** Reads where Redis is, for processes that meet only there. */
export function requireRedisConfig(env: EnvReader): RedisConfig {
  const config = readRedisConfig(env);
  if (config) return config;
  env.fail('REDIS_URL', 'must say where Redis is, since relays and webhooks meet only there');
  return { url: '', prefix: DEFAULT_PREFIX, partitions: DEFAULT_PARTITIONS, timeoutMs: 0 };
}
