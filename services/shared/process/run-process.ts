import type { RequestListener } from 'node:http';
import { constants } from 'node:os';
import { ConfigError } from '../config/config-error.ts';
import { type Environment, EnvReader } from '../config/env-reader.ts';
import { readProcessConfig } from '../config/process-config.ts';
import { createLogger, type Logger } from '../logger.ts';
import { StartError } from '../start-error.ts';
import { createAdminServer } from './admin-server.ts';
import { Health } from './health.ts';
import { Lifecycle } from './lifecycle.ts';
import { createMetricsRegistry, type MetricsRegistry } from './metrics-registry.ts';

/** What a main file gets to build its service from. */
export interface ProcessParts<Config> {
  readonly config: Config;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly registry: MetricsRegistry;
  readonly health: Health;
  /** Makes `/metrics` answer with this instead of the registry's. */
  readonly serveMetrics: (render: () => Promise<string>) => void;
  /** Serves these pages at `/stats` on the admin port. */
  readonly servePages: (pages: RequestListener | undefined) => void;
  /** Ends the process with exit code 1: it has found out that it must not go on. */
  readonly refuse: (error: Error) => void;
}

/**
 * Runs a service as this process, from reading its configuration to its exit code:
 *
 * - All problems of the environment are printed as one list and end it before any port opens.
 * - The admin server starts first and stops last. Ready is: `main` has finished, and every condition
 *   that it added to `health` has been met once.
 * - `main` starts its parts through `lifecycle`. If it fails, one line says why, what was started is
 *   stopped, and the exit code is 1.
 * - The first SIGTERM or SIGINT takes readiness away and, after `DRAIN_WAIT`, stops everything within `SHUTDOWN_TIMEOUT`
 *   (exit code 0, or 1 where that fails); a second one ends the process at once.
 * - An error that nobody caught is logged and stops everything, with exit code 1.
 */
export async function runProcess<Config>(options: {
  name: string;
  env: Environment;
  defaultAdminPort: number;
  readConfig: (env: EnvReader) => Config;
  main: (parts: ProcessParts<Config>) => Promise<void>;
}): Promise<void> {
  const { name, env, defaultAdminPort, readConfig, main } = options;
  const configs = readConfigs(env, (reader) => ({
    own: readProcessConfig(reader, { adminPort: defaultAdminPort }),
    service: readConfig(reader),
  }));
  if (configs === undefined) process.exit(1);

  const { logLevel, adminHost: host, adminPort: port, headerTimeoutMs, drainWaitMs, shutdownTimeoutMs } = configs.own;
  const logger = createLogger({ name, level: logLevel });
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
      // Load balancers take a moment to learn of it, and send new clients until then.
      await new Promise((resolve) => setTimeout(resolve, drainWaitMs));
      await end();
    },
  });
  endOnUncaughtErrors({ logger, lifecycle, end });

  const refuse = (error: Error): void => {
    logger.fatal(`must not go on: ${error.message}`);
    lifecycle.fail();
    void end();
  };

  let renderMetrics = () => registry.metrics();
  const serveMetrics = (render: () => Promise<string>): void => {
    renderMetrics = render;
  };
  let pages: RequestListener | undefined;
  const servePages = (served: RequestListener | undefined): void => {
    pages = served;
  };
  const started = health.require('started');
  try {
    const metrics = { contentType: registry.contentType, metrics: () => renderMetrics() };
    const admin = createAdminServer({
      host,
      port,
      headerTimeoutMs,
      registry: metrics,
      health,
      logger,
      pages: () => pages,
    });
    logger.info({ port: await lifecycle.start('admin server', admin) }, 'the admin server listens');
    await main({ config: configs.service, lifecycle, logger, registry, health, serveMetrics, servePages, refuse });
    started();
  } catch (error) {
    if (lifecycle.stopping) return; // a signal came first, and its end is under way
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
  let asked = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(128 + constants.signals[signal]);
      asked = true;
      logger.info({ signal }, 'stopping; a second signal ends this at once');
      void end();
    });
  }
}

function endOnUncaughtErrors(deps: { logger: Logger; lifecycle: Lifecycle; end: () => Promise<void> }): void {
  const { logger, lifecycle, end } = deps;
  // An unhandled rejection arrives here too: that is Node's default as long as nobody listens for it.
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'an error that nobody caught; stopping');
    lifecycle.fail();
    void end();
  });
}

function logStartFailure(logger: Logger, error: unknown): void {
  const cause = error instanceof StartError ? error.cause : error;
  const reason = error instanceof Error ? error.message : String(error);
  logger.fatal(cause === undefined ? {} : { err: cause }, `could not start: ${reason}`);
}
