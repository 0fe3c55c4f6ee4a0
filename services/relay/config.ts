import { accessSync, constants } from 'node:fs';
import type { BlockList } from 'node:net';
import { availableParallelism } from 'node:os';
import type { EnvReader } from '../shared/config/env-reader.ts';
import { readShutdownTimeoutMs, readTrustedProxies } from '../shared/config/process-config.ts';
import { requireRedisConfig } from '../shared/config/redis-config.ts';
import { type HostRule, readAllowedHosts } from '../shared/http/allowed-hosts.ts';
import type { Topic } from '../shared/update/topic.ts';
import { readOriginConfig, readSubscribeConfig, type SubscribeConfig } from './access/access-config.ts';
import type { AdmissionLimits } from './access/admission.ts';
import { connectionsByFileLimit, socketsByFileLimit } from './access/file-limit.ts';
import type { OriginConfig } from './access/origins.ts';
import { type OriginBudget, parseOriginBudget } from './cluster/origin-budget.ts';
import { ENGINE_CHOICES, type EngineChoice } from './engine/create-engine.ts';
import type { TlsFiles } from './engine/tls-files.ts';
import type { SessionLimits } from './session/limits.ts';
import { MAX_MESSAGE_BYTES } from './transport/transport.ts';

/** The settings of a relay. */
export interface RelayConfig {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Whether other processes may listen on the same port: the kernel distributes connections among them. */
  readonly sharesPort?: boolean;
  /** The public server: `auto` takes uWebSockets.js if it can be loaded. */
  readonly engine: EngineChoice;
  /** Topic of the legacy clients that name none. */
  readonly defaultTopic: Topic;
  readonly limits: SessionLimits;
  readonly admission: AdmissionLimits;
  /** Memory for the `data` of topics, in bytes; Infinity for no limit. */
  readonly maxDataBytes: number;
  /** Largest message of a client, in bytes; 0 for no limit. */
  readonly maxMessageBytes: number;
  /** Sockets of the public port, with or without a connection; 0 for no limit. */
  readonly maxSockets: number;
  /** Concurrent long-polls; 0 for no limit. */
  readonly maxLongPolls: number;
  /** Proxies whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: BlockList;
  readonly origins: OriginConfig;
  /** Names under which clients may connect. */
  readonly isAllowedHost: HostRule;
  readonly subscribe: SubscribeConfig;
  /** Files of the certificate and its key, as PEM; undefined without TLS. */
  readonly tls: TlsFiles | undefined;
  /** Interval of the digests of each partition. */
  readonly repairIntervalMs: number;
  /** Time over which clients spread their refetch after a floor raise. */
  readonly floorSpreadMs: number;
  readonly pingIntervalMs: number;
  /** A connection is closed if its client reads nothing for this time. */
  readonly stuckTimeoutMs: number;
  /** Refetches a second that the web application can serve. */
  readonly originBudget: OriginBudget;
  /** The longest spread that the budget may lead to. */
  readonly maxSpreadMs: number;
  /** Connections a second that a relay closes if it holds more than its share; 0 for none. */
  readonly rebalancePerSecond: number;
  /** Time over which a relay that shuts down closes its connections. */
  readonly drainWindowMs: number;
}

/** Reads the settings of a relay, except those of its broker. Invalid ones are collected by `env`. */
export function readRelayConfig(
  env: EnvReader,
  defaults: { drainWindow: string } = { drainWindow: '30s' },
): RelayConfig {
  const drainWindowMs = env.durationMs('DRAIN_WINDOW', { default: defaults.drainWindow, maxMs: 3_600_000 });
  if (drainWindowMs >= readShutdownTimeoutMs(env)) env.fail('DRAIN_WINDOW', 'must be shorter than SHUTDOWN_TIMEOUT');
  return Object.freeze({
    host: env.host('RELAY_HOST'),
    port: env.port('RELAY_PORT', 8080),
    engine: env.oneOf('RELAY_ENGINE', ENGINE_CHOICES, 'auto'),
    defaultTopic: env.topic('DEFAULT_TOPIC', 'default'),
    limits: Object.freeze({
      maxTopics: env.integer('MAX_TOPICS', { default: 128, max: 1000 }) || Number.POSITIVE_INFINITY,
      maxRelayTopics: env.integer('MAX_RELAY_TOPICS', { default: 1_000_000 }) || Number.POSITIVE_INFINITY,
      messagesPerSecond: env.integer('FRAME_RATE', { default: 10, min: 0, max: 100_000 }),
    }),
    admission: Object.freeze({
      maxConnections: env.integer('MAX_CONNECTIONS', { default: connectionsByFileLimit() }),
      maxConnectionsPerAddress: env.integer('MAX_CONNECTIONS_PER_ADDRESS', { default: 0 }),
      connectionPointsPerSecond: env.integer('CONNECTION_RATE', { default: 5000 }),
    }),
    maxDataBytes: env.bytes('MAX_RELAY_DATA', { default: '64MiB' }) || Number.POSITIVE_INFINITY,
    maxMessageBytes: env.bytes('MAX_MESSAGE_SIZE', { default: '16KiB', max: MAX_MESSAGE_BYTES }),
    maxSockets: socketsByFileLimit(),
    maxLongPolls: env.integer('MAX_LONG_POLLS', { default: 10_000 }),
    trustedProxies: readTrustedProxies(env),
    origins: readOriginConfig(env),
    isAllowedHost: readAllowedHosts(env),
    subscribe: readSubscribeConfig(env),
    tls: readTls(env),
    repairIntervalMs: env.durationMs('REPAIR_INTERVAL', { default: '3s', minMs: 100, maxMs: 60_000 }),
    floorSpreadMs: env.durationMs('FLOOR_SPREAD', { default: '10s', maxMs: 600_000 }),
    originBudget: readOriginBudget(env),
    maxSpreadMs: env.durationMs('MAX_SPREAD', { default: '60s', maxMs: 3_600_000 }),
    rebalancePerSecond: env.integer('REBALANCE', { default: 50, max: 100_000 }),
    pingIntervalMs: env.durationMs('PING_INTERVAL', { default: '45s', minMs: 1000, maxMs: 55_000 }),
    stuckTimeoutMs: env.durationMs('STUCK_TIMEOUT', { default: '120s', minMs: 1000 }),
    drainWindowMs,
  });
}

function readOriginBudget(env: EnvReader): OriginBudget {
  const budget = parseOriginBudget(env.list('ORIGIN_RPS', ['0']));
  if (!budget) env.fail('ORIGIN_RPS', 'must be requests a second such as 500, or 500,chat/*=50 for some topics');
  return budget ?? (() => 0);
}

function readTls(env: EnvReader): TlsFiles | undefined {
  const [certFile, keyFile] = [env.optional('TLS_CERT_FILE'), env.optional('TLS_KEY_FILE')];
  for (const [name, file] of Object.entries({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile })) {
    if (file !== undefined && !canRead(file)) env.fail(name, 'must be the path of a readable file');
  }
  if (certFile !== undefined && keyFile !== undefined) return Object.freeze({ certFile, keyFile });
  if (certFile !== undefined || keyFile !== undefined) {
    env.fail('TLS_CERT_FILE', 'must be set together with TLS_KEY_FILE');
  }
  return undefined;
}

function canRead(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Reads the settings of a relay process, which requires Redis. Invalid ones are collected by `env`. */
export function readRelayProcessConfig(env: EnvReader) {
  const relay = readRelayConfig(env);
  const processes = readProcesses(env);
  if (processes > 1 && relay.port === 0) {
    env.fail('RELAY_PORT', 'must not be 0 if RELAY_PROCESSES is more than 1: all of them share it');
  }
  return { relay, processes, redis: requireRedisConfig(env) };
}

function readProcesses(env: EnvReader): number {
  if (env.string('RELAY_PROCESSES', '1') === 'auto') return availableParallelism();
  return env.integer('RELAY_PROCESSES', { default: 1, min: 1, max: 256 });
}
