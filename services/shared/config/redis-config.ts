import { readFileSync } from 'node:fs';
import type { EnvReader } from './env-reader.ts';

/** A server's address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How Redis is run. */
export type RedisServers =
  | { readonly kind: 'single'; readonly url: string }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly Address[]; readonly name: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly Address[] };

/** What Redis wants to see of who connects; an empty text where it wants nothing. */
export interface RedisCredentials {
  readonly username: string;
  readonly password: string;
  readonly sentinelPassword: string;
  readonly tls: boolean;
  /** Certificates of the authorities to trust instead of the usual ones, as PEM. */
  readonly ca: string;
}

/** Where Redis is and how this cluster uses it. All processes of a cluster must agree on the prefix and the partitions. */
export interface RedisConfig {
  readonly servers: RedisServers;
  readonly credentials: RedisCredentials;
  /** What every key begins with. */
  readonly prefix: string;
  /** Over how many hash tags the topics are spread. */
  readonly partitions: number;
  /** Milliseconds after which a call to Redis has failed. */
  readonly timeoutMs: number;
  /** How many replicas must have an update before it is acknowledged. */
  readonly waitReplicas: number;
}

const NOWHERE: RedisServers = { kind: 'single', url: '' };

/** Reads where Redis is; undefined where the environment names none. */
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

/** Reads where Redis is, for processes that meet only there. */
export function requireRedisConfig(env: EnvReader): RedisConfig {
  const config = readRedisConfig(env);
  if (config) return config;
  env.fail(
    'REDIS_URL',
    'must say where Redis is, or REDIS_SENTINELS or REDIS_CLUSTER_NODES: processes meet only there',
  );
  return {
    servers: NOWHERE,
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
    env.fail('REDIS_URL', 'must be a URL that begins with redis:// or rediss://');
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
    env.fail('REDIS_URL', 'must not be set together with REDIS_SENTINELS or REDIS_CLUSTER_NODES, nor those together');
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
    env.fail(name, 'must name a file that can be read');
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
