import type { EnvReader } from './env-reader.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** What every process needs, whatever its role. */
export interface ProcessConfig {
  readonly logLevel: LogLevel;
  /** Where `/metrics`, `/livez` and `/readyz` are; 0 lets the system choose. */
  readonly adminPort: number;
  readonly adminHost: string;
  /** How long the head of a request may take to come; 0 for no limit. */
  readonly headerTimeoutMs: number;
  /** Milliseconds from the first signal, with readiness taken away, to the beginning of the end. */
  readonly drainWaitMs: number;
  /** Milliseconds from then to the end of the process, whatever still hangs by then. */
  readonly shutdownTimeoutMs: number;
}

/** Reads what every process needs; the default admin port depends on the service. */
export function readProcessConfig(env: EnvReader, defaults: { adminPort: number }): ProcessConfig {
  return Object.freeze({
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    adminPort: env.port('ADMIN_PORT', defaults.adminPort),
    adminHost: env.string('ADMIN_HOST', '0.0.0.0'),
    headerTimeoutMs: readHeaderTimeoutMs(env),
    drainWaitMs: env.durationMs('DRAIN_WAIT', { default: '0s', maxMs: 600_000 }),
    shutdownTimeoutMs: readShutdownTimeoutMs(env),
  });
}

/** Reads how long the head of a request may take to come, in milliseconds; 0 for no limit. */
export function readHeaderTimeoutMs(env: EnvReader): number {
  return env.durationMs('HEADER_TIMEOUT', { default: '10s', maxMs: 600_000 });
}

/** Reads how long the end of a process may take, in milliseconds. */
export function readShutdownTimeoutMs(env: EnvReader): number {
  // Long enough for the 30 s over which a relay spreads its goodbyes.
  return env.durationMs('SHUTDOWN_TIMEOUT', { default: '45s', minMs: 100 });
}
