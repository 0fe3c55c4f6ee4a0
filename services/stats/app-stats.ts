import type { RequestListener } from 'node:http';
import type { Tracer } from '@opentelemetry/api';
import type { RequestHandler } from 'express';
import { SYSTEM_CLOCK } from '../shared/clock.ts';
import { type Environment, EnvReader } from '../shared/config/env-reader.ts';
import { readRedisConfig } from '../shared/config/redis-config.ts';
import { createLogger } from '../shared/logger.ts';
import type { Part } from '../shared/process/lifecycle.ts';
import { createMetricsRegistry } from '../shared/process/metrics-registry.ts';
import { readStatsConfig } from './config.ts';
import { createStats } from './stats.ts';

/** The call statistics of an app. */
export interface AppStats extends Part {
  /** Records each request to an Express app, and each `fetch` that is made for one; mounted before everything else. */
  readonly recordRequests: RequestHandler;
  /** For whatever else should be seen. */
  readonly tracer: Tracer;
  /** Serves the pages at `/stats`; undefined without `STATS_TOKEN`. */
  readonly pages: RequestListener | undefined;
}

/**
 * Creates the call statistics of an app that is none of ours, by the same settings as our processes have: `STATS_…`,
 * `OTEL_…` and, so that one page shows all, `REDIS_…` of the cluster. Rejects with a list of all that is wrong with them.
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
