import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../shared/clock.ts';
import type { RedisConfig } from '../shared/config/redis-config.ts';
import type { Logger } from '../shared/logger.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { NO_TRACER } from '../shared/trace/no-tracer.ts';
import { NO_STATS } from '../shared/trace/service-stats.ts';
import type { StatsConfig } from './config.ts';
import type { ProcessStats } from './process-stats.ts';

/** Nothing is recorded, and there is nothing to see. */
const NO_RECORDING: ProcessStats = {
  service: () => NO_STATS,
  tracer: () => NO_TRACER,
  pages: undefined,
  start() {},
  stop() {},
};

/** Puts call statistics together without starting them. Where nobody wants any, nothing of it is even loaded. */
export async function createStats(deps: {
  config: StatsConfig;
  /** The process' name. */
  name: string;
  /** Where processes share what they keep; undefined for this one's memory. */
  redis: RedisConfig | undefined;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  /** Whether this process has services that record, or only shows what others have recorded. */
  records?: boolean;
}): Promise<ProcessStats> {
  const { config, name, clock, registry, logger, records = true } = deps;
  const keeps = config.token !== undefined && config.sampleRate > 0;
  if (!keeps && (config.otlp === undefined || config.sampleRate === 0)) return NO_RECORDING;
  const { createRecording } = await import('./recorder/recording.ts');
  const startedAtMs = clock.nowMs();
  const identity = { process: randomBytes(6).toString('hex'), host: hostname(), pid: process.pid, startedAtMs };
  return createRecording({ ...deps, config, name, registry, logger, clock, identity, keeps, records });
}
