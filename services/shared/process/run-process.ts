import { constants } from 'node:os';
import { ConfigError } from '../config/config-error.ts';
import { type Environment, EnvReader } from '../config/env-reader.ts';
import { readProcessConfig } from '../config/process-config.ts';
import { createLogger, type Logger } from '../logger.ts';
import { type ListenAddress, StartError } from '../start-error.ts';
import { type AdminServer, createAdminServer } from './admin-server.ts';
import { checkPorts } from './check-ports.ts';
import { Health } from './health.ts';
import { Lifecycle } from './lifecycle.ts';
import { createMetricsRegistry, type MetricsRegistry } from './metrics-registry.ts';

/** The parts from which `main` builds its service. */
export interface ProcessParts<Config> {
  /** The result of `readConfig`. */
  readonly config: Config;
  /** Starts the parts of the service, and stops them in reverse order when the process ends. */
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly registry: MetricsRegistry;
  readonly health: Health;
  /** The admin port, already open, on which a service can mount pages of its own. */
  readonly admin: Pick<AdminServer, 'mount'>;
  readonly adminPort: number;
  /** Logs why this process must not continue, and stops it with exit code 1. */
  readonly abort: (reason: Error) => void;
}

/**
 * Runs a service as this process, from reading its configuration to its exit code:
 *
 * - Every problem of the environment is printed, in one list, before any port opens; the exit code is 1.
 * - The admin server starts first and stops last. The process is ready once `main` has finished and every condition
 *   that it added to `health` has been met once.
 * - `main` starts its parts through `lifecycle`. If it fails, one log line gives the reason, the parts that were started
 *   are stopped, and the exit code is 1.
 * - The first SIGTERM or SIGINT makes the process unready and, after `DRAIN_WAIT`, stops everything within
 *   `SHUTDOWN_TIMEOUT` (exit code 0, or 1 if that fails). A second one ends the process at once.
 * - An uncaught error is logged and stops everything, with exit code 1.
 *
 * @param options.ports where the service will listen: checked before anything starts
 * @param options.name the service in log lines and in `heliograph_build_info`
 * @param options.defaultAdminPort the port of the admin server if `ADMIN_PORT` is not set
 */
export async function runProcess<Config>(options: {
  name: string;
  env: Environment;
  defaultAdminPort: number;
  readConfig: (env: EnvReader) => Config;
  ports: (config: Config) => readonly ListenAddress[];
  main: (parts: ProcessParts<Config>) => Promise<void>;
}): Promise<void> {
  const { name, env, defaultAdminPort, readConfig, ports, main } = options;
  const configs = readConfigs(env, (reader) => ({
    own: readProcessConfig(reader, { adminPort: defaultAdminPort }),
    service: readConfig(reader),
  }));
  if (configs === undefined) process.exit(1);

  const {
    logLevel,
    logFormat,
    adminHost: host,
    adminPort: port,
    headerTimeoutMs,
    isAllowedHost,
    drainWaitMs,
    shutdownTimeoutMs,
  } = configs.own;
  const format = logFormat === 'auto' ? (process.stdout.isTTY ? 'text' : 'json') : logFormat;
  const logger = createLogger({ name, level: logLevel, format });
  const registry = createMetricsRegistry({ service: name });
  const health = new Health();
  const lifecycle = new Lifecycle({ logger, shutdownTimeoutMs });
  const end = async (): Promise<void> => {
    health.drain();
    process.exit(await lifecycle.stop());
  };
  endOnSignals({
    logger,
    async end() {
      health.drain();
      lifecycle.prepareStop(drainWaitMs);
      // Load balancers keep sending new clients until their next readiness probe.
      await new Promise((resolve) => setTimeout(resolve, drainWaitMs));
      await end();
    },
  });
  endOnUncaughtErrors({ logger, lifecycle, end });

  const abort = (reason: Error): void => {
    logger.fatal(`stopping, cannot continue: ${reason.message}`);
    lifecycle.fail();
    void end();
  };

  const started = health.require('started');
  try {
    await checkPorts([{ host, port, setting: 'ADMIN' }, ...ports(configs.service)]);
    const admin = createAdminServer({ name, host, port, headerTimeoutMs, isAllowedHost, registry, health, logger });
    const adminPort = await lifecycle.start('admin server', admin);
    logger.info({ port: adminPort }, 'the admin server listens');
    await main({ config: configs.service, lifecycle, logger, registry, health, admin, adminPort, abort });
    started();
  } catch (error) {
    if (lifecycle.stopping) return; // a signal arrived first and is already stopping everything
    logStartFailure(logger, error);
    lifecycle.fail();
    await end();
  }
}

function readConfigs<T>(env: Environment, read: (reader: EnvReader) => T): T | undefined {
  const reader = new EnvReader(env);
  try {
    const configs = read(reader);
    reader.finish();
    return configs;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

function endOnSignals(deps: { logger: Logger; end: () => Promise<void> }): void {
  const { logger, end } = deps;
  let signalled = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (signalled) process.exit(128 + constants.signals[signal]);
      signalled = true;
      logger.info({ signal }, 'stopping; a second signal exits at once');
      void end();
    });
  }
}

function endOnUncaughtErrors(deps: { logger: Logger; lifecycle: Lifecycle; end: () => Promise<void> }): void {
  const { logger, lifecycle, end } = deps;
  // Unhandled rejections arrive here too, as long as there is no listener for `unhandledRejection`.
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'uncaught error; stopping');
    lifecycle.fail();
    void end();
  });
}

function logStartFailure(logger: Logger, error: unknown): void {
  const cause = error instanceof StartError ? error.cause : error;
  const reason = error instanceof Error ? error.message : String(error);
  logger.fatal(cause === undefined ? {} : { err: cause }, `could not start: ${reason}`);
}
