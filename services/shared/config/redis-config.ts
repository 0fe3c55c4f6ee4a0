import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { EnvReader } from './env-reader.ts';

/** The address of a server. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The servers of Redis: a single one, a set watched by Sentinel, or a Redis Cluster. */
export type RedisServers =
  | { readonly kind: 'single'; readonly address: Address }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly Address[]; readonly name: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly Address[] };

/** Credentials for Redis; the empty string if one is not needed. */
export interface RedisCredentials {
  readonly username: string;
  readonly password: string;
  readonly sentinelUsername: string;
  readonly sentinelPassword: string;
  readonly tls: boolean;
  /** Certificates of the authorities to trust instead of the default ones, as PEM. */
  readonly ca: string;
  /** The certificate of this process and its private key, as PEM. */
  readonly cert: string;
  readonly key: string;
}

/** Redis and how this cluster uses it. All processes of a cluster must agree on the prefix and the partitions. */
export interface RedisConfig {
  readonly servers: RedisServers;
  readonly credentials: RedisCredentials;
  /** The number of the database; always 0 with Sentinel and Redis Cluster. */
  readonly database: number;
  /** The prefix of every key. */
  readonly prefix: string;
  /** The number of hash tags over which topics are spread. */
  readonly partitions: number;
  /** The deadline of a call to Redis, in milliseconds. */
  readonly timeoutMs: number;
  /** The number of replicas that must confirm an update before it is acknowledged. */
  readonly waitReplicas: number;
  /** The time after which `data` is deleted, in milliseconds. */
  readonly dataTtlMs: number;
}

/** The parts of `REDIS_URL`. */
interface RedisUrl {
  readonly address: Address;
  readonly database: number;
  readonly username: string;
  readonly password: string;
  readonly tls: boolean;
}

const NO_URL: RedisUrl = { address: { host: '', port: 0 }, database: 0, username: '', password: '', tls: false };

/** Reads the time after which Redis deletes the `data` of an update, in milliseconds. At most that of registers. */
export function readDataTtlMs(env: EnvReader): number {
  return env.durationMs('DATA_RETENTION', { default: '1h', minMs: 1000, maxMs: 24 * 3600 * 1000 });
}

/** Reads the settings of Redis; undefined if the environment names no Redis. */
export function readRedisConfig(env: EnvReader): RedisConfig | undefined {
  const url = readUrl(env);
  const servers = readServers(env, url);
  const config = readSettings(env, url ?? NO_URL);
  return servers && Object.freeze({ ...config, servers });
}

/** Reads the settings of Redis, and notes a problem if there are none. */
export function requireRedisConfig(env: EnvReader): RedisConfig {
  const config = readRedisConfig(env);
  if (config) return config;
  env.fail(
    'REDIS_URL',
    'must be set, or REDIS_SENTINELS or REDIS_CLUSTER_NODES: the processes of a cluster are connected by Redis',
  );
  return { ...readSettings(env, NO_URL), servers: { kind: 'single', address: NO_URL.address } };
}

function readSettings(env: EnvReader, url: RedisUrl): Omit<RedisConfig, 'servers'> {
  const credentials = readCredentials(env, url);
  const prefix = env.string('HELIOGRAPH_PREFIX', 'heliograph');
  if (!/^[A-Za-z0-9._:-]{1,64}$/.test(prefix)) env.fail('HELIOGRAPH_PREFIX', 'must be 1 to 64 of A-Z a-z 0-9 . _ : -');
  const partitions = env.integer('PARTITIONS', { default: 16, min: 1, max: 256 });
  const timeoutMs = env.durationMs('REDIS_TIMEOUT', { default: '2s', minMs: 100, maxMs: 30_000 });
  const waitReplicas = env.integer('PUBLISH_WAIT_REPLICAS', { default: 0, min: 0, max: 10 });
  return {
    credentials,
    database: url.database,
    prefix,
    partitions,
    timeoutMs,
    waitReplicas,
    dataTtlMs: readDataTtlMs(env),
  };
}

function readServers(env: EnvReader, url: RedisUrl | undefined): RedisServers | undefined {
  const sentinels = readAddresses(env, 'REDIS_SENTINELS', 26_379);
  const name = env.optional('REDIS_SENTINEL_NAME');
  const nodes = readAddresses(env, 'REDIS_CLUSTER_NODES', 6379);
  if (sentinels.length > 0 !== (name !== undefined)) {
    env.fail('REDIS_SENTINEL_NAME', 'must be set together with REDIS_SENTINELS');
  }
  const named: (RedisServers | false)[] = [
    url !== undefined && { kind: 'single', address: url.address },
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

/** Reads `REDIS_URL`. Refuses what it could only ignore: another database than the intended one would be used. */
function readUrl(env: EnvReader): RedisUrl | undefined {
  const text = env.optional('REDIS_URL');
  if (text === undefined) return undefined;
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) {
    env.fail('REDIS_URL', 'must be a URL that starts with redis:// or rediss://');
    return NO_URL;
  }
  const url = new URL(text);
  const database = /^\/?(\d{0,9})$/.exec(url.pathname)?.[1];
  if (database === undefined) env.fail('REDIS_URL', 'must end with the port or the number of a database, such as /2');
  if (url.search !== '' || url.hash !== '') {
    env.fail('REDIS_URL', 'must have no ? and no #: the database is a number at its end, such as /2');
  }
  return {
    address: { host: url.hostname.replace(/[[\]]/g, '') || '127.0.0.1', port: Number(url.port || 6379) },
    database: Number(database ?? 0),
    username: decodePart(env, url.username),
    password: decodePart(env, url.password),
    tls: url.protocol === 'rediss:',
  };
}

function decodePart(env: EnvReader, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    env.fail('REDIS_URL', 'has a user name or password with a % that must be written %25');
    return '';
  }
}

function readCredentials(env: EnvReader, url: RedisUrl): RedisCredentials {
  const username = env.string('REDIS_USERNAME', '');
  const password = env.string('REDIS_PASSWORD', '');
  const tls = env.boolean('REDIS_TLS', false);
  const certificates = readCertificates(env);
  const files = Object.entries({ REDIS_CA_FILE: certificates.ca, REDIS_CERT_FILE: certificates.cert });
  for (const [name, pem] of files) {
    if (pem !== '' && !tls && !url.tls)
      env.fail(name, 'has no effect without TLS: set REDIS_TLS, or REDIS_URL to rediss://');
  }
  return Object.freeze({
    username: url.username || username,
    password: url.password || password,
    sentinelUsername: env.string('REDIS_SENTINEL_USERNAME', ''),
    sentinelPassword: env.string('REDIS_SENTINEL_PASSWORD', ''),
    tls: tls || url.tls,
    ...certificates,
  });
}

function readCertificates(env: EnvReader): Pick<RedisCredentials, 'ca' | 'cert' | 'key'> {
  const [ca, cert, key] = [
    readPem(env, 'REDIS_CA_FILE', (pem) => new X509Certificate(pem)),
    readPem(env, 'REDIS_CERT_FILE', (pem) => new X509Certificate(pem)),
    readPem(env, 'REDIS_KEY_FILE', (pem) => createPrivateKey(pem)),
  ];
  if ((cert === '') !== (key === '')) env.fail('REDIS_KEY_FILE', 'must be set together with REDIS_CERT_FILE');
  else if (cert !== '' && !isUsable(() => createSecureContext({ cert, key }))) {
    env.fail('REDIS_KEY_FILE', 'must be the key of the certificate in REDIS_CERT_FILE');
  }
  return { ca, cert, key };
}

/** Reads a PEM file; '' if the variable is not set, or after noting that the file cannot be read or used. */
function readPem(env: EnvReader, name: string, use: (pem: string) => unknown): string {
  const pem = readFile(env, name);
  if (pem === '' || isUsable(() => use(pem))) return pem;
  env.fail(name, 'must be a file in PEM format, without a passphrase');
  return '';
}

function isUsable(use: () => unknown): boolean {
  try {
    use();
    return true;
  } catch {
    return false;
  }
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
