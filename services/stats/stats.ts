import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../shared/clock.ts';
import type { RedisConfig } from '../shared/config/redis-config.ts';
import type { Logger } from '../shared/logger.ts';
import type { AdminServer } from '../shared/process/admin-server.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { NO_TRACER } from '../shared/trace/no-tracer.ts';
import { NO_STATS } from '../shared/trace/service-stats.ts';
import type { StatsConfig } from './config.ts';
import type { ProcessStats } from './process-stats.ts';

/** Mounts the pages, if there are any, on the admin port of the process. */
export function mountStatsPages(admin: Pick<AdminServer, 'mount'>, { pages }: ProcessStats): void {
  if (!pages) return;
  admin.mount('/stats/', pages, 'Call statistics of the cluster; log in with STATS_TOKEN.');
  admin.mount(
    '/stats/developers',
    pages,
    'For developers: topics, a live stream, a form that publishes, and examples.',
  );
}

/** Records nothing and has no pages. */
const NO_RECORDING: ProcessStats = {
  service: () => NO_STATS,
  tracer: () => NO_TRACER,
  pages: undefined,
  setAddresses() {},
  start() {},
  stop() {},
};

/** Creates the call statistics of a process. If the configuration needs none, the recorder is not even loaded. */
export async function createStats(deps: {
  config: StatsConfig;
  /** Name of the process. */
  name: string;
  /** Redis in which processes share their records; undefined for the memory of this one. */
  redis: RedisConfig | undefined;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  /** False for a process that only serves the pages; true by default. */
  records?: boolean;
}): Promise<ProcessStats> {
  const { config, name, clock, registry, logger, records = true } = deps;
  const stores = config.token !== undefined && config.sampleRate > 0;
  if (!stores && (config.otlp === undefined || config.sampleRate === 0)) return NO_RECORDING;
  const { createRecording } = await import('./recorder/recording.ts');
  const startedAtMs = clock.nowMs();
  const identity = { process: randomBytes(6).toString('hex'), host: hostname(), pid: process.pid, startedAtMs };
  return createRecording({ ...deps, config, name, registry, logger, clock, identity, stores, records });
}
