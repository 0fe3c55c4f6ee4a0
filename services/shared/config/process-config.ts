import { BlockList } from 'node:net';
import { type HostRule, readAllowedHosts } from '../http/allowed-hosts.ts';
import { parseProxies } from '../http/client-address.ts';
import type { EnvReader } from './env-reader.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

const LOG_FORMATS = ['auto', 'json', 'text'] as const;

export type LogFormat = (typeof LOG_FORMATS)[number];

/** The settings that every process has. */
export interface ProcessConfig {
  readonly logLevel: LogLevel;
  /** `auto` for text in a terminal, and JSON everywhere else. */
  readonly logFormat: LogFormat;
  /** The port of `/metrics`, `/livez` and `/readyz`; 0 lets the system choose. */
  readonly adminPort: number;
  readonly adminHost: string;
  /** The names under which the admin port may be called. */
  readonly isAllowedHost: HostRule;
  /** The longest time until the headers of a request are complete, in milliseconds; 0 for no limit. */
  readonly headerTimeoutMs: number;
  /** Time between becoming unready at the first signal and beginning to stop, in milliseconds. */
  readonly drainWaitMs: number;
  /** The deadline for stopping after that, in milliseconds. */
  readonly shutdownTimeoutMs: number;
}

/** Reads the settings that every process has; the default admin port depends on the service. */
export function readProcessConfig(env: EnvReader, defaults: { adminPort: number }): ProcessConfig {
  return Object.freeze({
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    logFormat: env.oneOf('LOG_FORMAT', LOG_FORMATS, 'auto'),
    adminPort: env.port('ADMIN_PORT', defaults.adminPort),
    adminHost: env.host('ADMIN_HOST'),
    isAllowedHost: readAllowedHosts(env),
    headerTimeoutMs: readHeaderTimeoutMs(env),
    drainWaitMs: env.durationMs('DRAIN_WAIT', { default: '0s', maxMs: 600_000 }),
    shutdownTimeoutMs: readShutdownTimeoutMs(env),
  });
}

/** Reads the longest time until the headers of a request are complete, in milliseconds; 0 for no limit. */
export function readHeaderTimeoutMs(env: EnvReader): number {
  return env.durationMs('HEADER_TIMEOUT', { default: '10s', maxMs: 600_000 });
}

/** Reads the deadline for stopping a process, in milliseconds. */
export function readShutdownTimeoutMs(env: EnvReader): number {
  // Longer than the 30 s over which a relay closes its connections.
  return env.durationMs('SHUTDOWN_TIMEOUT', { default: '45s', minMs: 100 });
}

/** Reads the proxies whose `X-Forwarded-For` is trusted; none by default. */
export function readTrustedProxies(env: EnvReader): BlockList {
  const proxies = parseProxies(env.list('TRUSTED_PROXIES'));
  if (!proxies) env.fail('TRUSTED_PROXIES', 'must hold addresses or subnets such as 10.0.0.0/8');
  return proxies ?? new BlockList();
}

/** Reads the URL of the relays for browsers, without a slash at the end; undefined if it is not set. */
export function readRelayUrl(env: EnvReader): string | undefined {
  return env.url('RELAY_PUBLIC_URL', { default: '' }).replace(/\/+$/, '') || undefined;
}
