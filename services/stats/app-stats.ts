import type { RequestListener } from 'node:http';
import type { Tracer } from '@opentelemetry/api';
import { SYSTEM_CLOCK } from '../shared/clock.ts';
import { type Environment, EnvReader } from '../shared/config/env-reader.ts';
import { readRedisConfig } from '../shared/config/redis-config.ts';
import { createLogger } from '../shared/logger.ts';
import type { Part } from '../shared/process/lifecycle.ts';
import { createMetricsRegistry } from '../shared/process/metrics-registry.ts';
import type { RequestRecorder } from '../shared/trace/service-stats.ts';
import { readStatsConfig } from './config.ts';
import { createStats } from './stats.ts';

/** The call statistics of an app. Call `start` before the app serves, and `stop` before its process exits. */
export interface AppStats extends Part {
  /**
   * Middleware that records each request, and each `fetch` made while handling it; mount it before everything else.
   * Passes requests on unchanged if nothing is recorded.
   */
  readonly recordRequests: RequestRecorder;
  /** OpenTelemetry tracer for other work of the app, such as database calls. */
  readonly tracer: Tracer;
  /** Serves the pages at `/stats`; undefined without `STATS_TOKEN`, or with `STATS_SAMPLE_RATE=0`. */
  readonly pages: RequestListener | undefined;
}

/**
 * Creates the call statistics of an app that is not part of Heliograph. Without `STATS_TOKEN` and an
 * `OTEL_EXPORTER_OTLP_…` endpoint they record nothing, and cost next to nothing.
 *
 * @param options.name name of the app on the pages and in its log lines, such as `shop`
 * @param options.env variables as in `process.env`: `STATS_TOKEN` (no pages by default), `STATS_SAMPLE_RATE` (a part from
 *   0 to 1, 0.01 by default), `OTEL_…`, and the cluster's `REDIS_…`, without which records stay in this process
 * @throws {ConfigError} if the environment is invalid, with all problems in one message
 * @example
 * ```ts
 * const stats = await createAppStats({ name: 'shop', env: process.env });
 * await stats.start();
 * app.use(stats.recordRequests); // before everything else
 * process.once('SIGTERM', () => stats.stop());
 * ```
 */
export async function createAppStats(options: { name: string; env: Environment }): Promise<AppStats> {
  const { name } = options;
  const env = new EnvReader(options.env);
  const [config, redis] = [readStatsConfig(env), readRedisConfig(env)];
  env.finish();
  const [registry, logger] = [createMetricsRegistry({ service: name }), createLogger({ name, level: 'info' })];
  const stats = await createStats({ config, redis, name, registry, logger, clock: SYSTEM_CLOCK });
  const { recordRequests, tracer } = stats.service(name, { followsCalls: true });
  return { recordRequests, tracer, pages: stats.pages, start: () => stats.start(), stop: () => stats.stop() };
}
