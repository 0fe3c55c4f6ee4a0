import { readFileSync } from 'node:fs';
import type { EnvReader } from './env-reader.ts';

/** The address of a server. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The servers of Redis: a single one, a set watched by Sentinel, or a Redis Cluster. */
export type RedisServers =
  | { readonly kind: 'single'; readonly url: string }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly Address[]; readonly name: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly Address[] };

/** Credentials for Redis; the empty string if one is not needed. */
export interface RedisCredentials {
  readonly username: string;
  readonly password: string;
  readonly sentinelPassword: string;
  readonly tls: boolean;
  /** Certificates of the authorities to trust instead of the default ones, as PEM. */
  readonly ca: string;
}

/** Redis and how this cluster uses it. All processes of a cluster must agree on the prefix and the partitions. */
export interface RedisConfig {
  readonly servers: RedisServers;
  readonly credentials: RedisCredentials;
  /** The prefix of every key. */
  readonly prefix: string;
  /** The number of hash tags over which topics are spread. */
  readonly partitions: number;
  /** The deadline of a call to Redis, in milliseconds. */
  readonly timeoutMs: number;
  /** The number of replicas that must confirm an update before it is acknowledged. */
  readonly waitReplicas: number;
}

const NO_SERVERS: RedisServers = { kind: 'single', url: '' };

/** Reads the settings of Redis; undefined if the environment names no Redis. */
export function readRedisConfig(env: EnvReader): RedisConfig | undefined {
  const servers = readServers(env);
  const credentials = readCredentials(env);
  const prefix = env.string('HELIOGRAPH_PREFIX', 'heliograph');
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) env.fail('HELIOGRAPH_PREFIX', 'must be 1 to 64 of A-Z a-z 0-9 . _ : -');
  const partitions = env.integer('PARTITIONS', { default: 16, min: 1, max: 256 });
  const timeoutMs = env.durationMs('REDIS_TIMEOUT', { default: '2s', minMs: 100, maxMs: 30_000 });
  const waitReplicas = env.integer('PUBLISH_WAIT_REPLICAS', { default: 0, min: 0, max: 10 });
  return servers && Object.freeze({ servers, credentials, prefix, partitions, timeoutMs, waitReplicas });
}

/** Reads the settings of Redis, and notes a problem if there are none. */
export function requireRedisConfig(env: EnvReader): RedisConfig {
  const config = readRedisConfig(env);
  if (config) return config;
  env.fail(
    'REDIS_URL',
    'must be set, or REDIS_SENTINELS or REDIS_CLUSTER_NODES: the processes of a cluster are connected by Redis',
  );
  return {
    servers: NO_SERVERS,
    credentials: readCredentials(env),
    prefix: '',
    partitions: 1,
    timeoutMs: 0,
    waitReplicas: 0,
  };
}

function readServers(env: EnvReader): RedisServers | undefined {
  const url = env.optional('REDIS_URL');
  const sentinels = readAddresses(env, 'REDIS_SENTINELS', 26_379);
  const name = env.optional('REDIS_SENTINEL_NAME');
  const nodes = readAddresses(env, 'REDIS_CLUSTER_NODES', 6379);
  if (url !== undefined && !(/^rediss?:\/\//.test(url) && URL.canParse(url))) {
    env.fail('REDIS_URL', 'must be a URL that starts with redis:// or rediss://');
  }
  if (sentinels.length > 0 !== (name !== undefined)) {
    env.fail('REDIS_SENTINEL_NAME', 'must be set together with REDIS_SENTINELS');
  }
  const named: (RedisServers | false)[] = [
    url !== undefined && { kind: 'single', url },
    sentinels.length > 0 && { kind: 'sentinel', sentinels, name: name ?? '' },
    nodes.length > 0 && { kind: 'cluster', nodes },
  ];
  const servers = named.filter((candidate) => candidate !== false);
  if (servers.length > 1)
    env.fail(
      'REDIS_URL',
      'must not be combined with REDIS_SENTINELS or REDIS_CLUSTER_NODES, nor those with each other',
    );
  return servers[0];
}

function readCredentials(env: EnvReader): RedisCredentials {
  return Object.freeze({
    username: env.string('REDIS_USERNAME', ''),
    password: env.string('REDIS_PASSWORD', ''),
    sentinelPassword: env.string('REDIS_SENTINEL_PASSWORD', ''),
    tls: env.boolean('REDIS_TLS', false),
    ca: readFile(env, 'REDIS_CA_FILE'),
  });
}

function readFile(env: EnvReader, name: string): string {
  const path = env.optional(name);
  if (path === undefined) return '';
  try {
    return readFileSync(path, 'utf8');
  } catch {
    env.fail(name, 'must be the path of a readable file');
    return '';
  }
}

function readAddresses(env: EnvReader, name: string, defaultPort: number): Address[] {
  return env.list(name).map((text) => {
    const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
    const port = Number(match?.[2] ?? defaultPort);
    if (!match?.[1] || port < 1 || port > 65_535) env.fail(name, 'must be a list of addresses such as redis-1:6379');
    return { host: match?.[1]?.replace(/[[\]]/g, '') ?? '', port };
  });
}
