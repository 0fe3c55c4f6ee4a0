import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Clock } from '../../shared/clock.ts';
import type { RedisConfig } from '../../shared/config/redis-config.ts';
import type { Logger } from '../../shared/logger.ts';
import type { MetricsRegistry } from '../../shared/process/metrics-registry.ts';
import type { BulkStats } from '../../shared/trace/service-stats.ts';
import type { StatsConfig } from '../config.ts';
import { createStatsMetrics } from '../metrics.ts';
import { type CountRequest, createStatsMiddleware } from '../middleware.ts';
import { createStatsApp } from '../pages/app.ts';
import type { ProcessStats, ServiceAddresses } from '../process-stats.ts';
import { MemoryStatsStore } from '../store/memory-stats-store.ts';
import { RedisStatsStore } from '../store/redis-stats-store.ts';
import type { StatsStore } from '../store/stats-store.ts';
import { CallCounts } from './call-counts.ts';
import { EpochClock } from './epoch-clock.ts';
import { type LightTrace, newTraceId } from './light-span.ts';
import { createOtlpProcessor } from './otlp.ts';
import { Recorder } from './recorder.ts';
import { type ProcessIdentity, Reporter } from './reporter.ts';
import { Slowest } from './slowest.ts';
import { SpanCollector } from './span-collector.ts';

const NO_FACTS = () => ({});

/**
 * Creates call statistics that record.
 *
 * @param deps.stores whether records are stored for the pages; if not, spans are only exported to a tracing system
 * @param deps.records false for a process that only serves the pages
 */
export async function createRecording(deps: {
  config: StatsConfig;
  name: string;
  redis: RedisConfig | undefined;
  registry: MetricsRegistry;
  logger: Logger;
  clock: Clock;
  identity: ProcessIdentity;
  stores: boolean;
  records: boolean;
}): Promise<ProcessStats> {
  const { config, identity, stores, records } = deps;
  const processors: SpanProcessor[] = [];
  if (config.otlp && records) processors.push(await createOtlpProcessor(config.otlp));
  const epoch = new EpochClock();
  const store = deps.redis
    ? new RedisStatsStore({ config: deps.redis })
    : new MemoryStatsStore({ nowMs: () => epoch.nowMs() });
  const local = stores && records ? createLocal({ ...deps, store, epoch }) : undefined;
  if (local) processors.push(local.collector);
  const { name } = deps;
  let addresses: ServiceAddresses = {};
  const instance = `${identity.host}:${identity.pid}`;
  const recorder = new Recorder({
    name,
    instance,
    isSample: () => deps.clock.random() < config.sampleRate,
    traceOf: local ? (id) => local.collector.lightTrace(id) : (id) => new DiscardedTrace(id),
    processors,
    epoch,
  });
  return {
    service(service, { trustsCallers = false, followsCalls = false, facts = NO_FACTS, topics } = {}) {
      const tracer = recorder.tracer(service);
      if (followsCalls) recorder.followCalls();
      local?.reporter.addService(service, { facts, topics });
      const count: CountRequest | undefined =
        local && ((name, ms, failed, refusal) => local.counts.count(service, name, 'server', ms, failed, refusal));
      const recordRequests = createStatsMiddleware({ tracer, trustsCallers, followsCalls, count });
      return { tracer, recordRequests, bulk: local?.byHand(service) ?? SAMPLES_ONLY };
    },
    tracer: (tracerName) => recorder.tracer(tracerName),
    pages:
      config.token === undefined
        ? undefined
        : createStatsApp({ ...deps, ...config, token: config.token, store, addresses: () => addresses }),
    setAddresses(known) {
      addresses = known;
    },
    async start() {
      // Not awaited: nothing waits for statistics.
      if (local) void local.reporter.start(local.collector);
      else await store.start();
    },
    async stop() {
      await recorder.stop();
      if (local) await local.reporter.stop(local.collector);
      else await store.stop();
    },
  };
}

/** Trace of unsampled spans in a process that only exports samples. */
class DiscardedTrace implements LightTrace {
  #id: string | undefined;

  constructor(id: string | undefined) {
    this.#id = id;
  }

  get id(): string {
    this.#id ??= newTraceId();
    return this.#id;
  }

  ended(): void {}
}

/** For a process without pages: nothing is counted, and only samples are recorded. */
const SAMPLES_ONLY: BulkStats = { count() {}, isSlow: () => false, onTraceKept() {} };

/** Creates what collects, counts and reports in this process. */
function createLocal(deps: {
  registry: MetricsRegistry;
  clock: Clock;
  identity: ProcessIdentity;
  store: StatsStore;
  epoch: EpochClock;
}) {
  const { clock, identity, store } = deps;
  const report = createStatsMetrics(deps);
  const counts = new CallCounts({ nowMs: () => clock.nowMs() });
  const monotonicMs = () => clock.monotonicMs();
  const slowest = new Slowest({ monotonicMs });
  const reporter = new Reporter({ identity, store, counts, clock, report, epoch: deps.epoch });
  const keep = reporter.keep.bind(reporter);
  const collector = new SpanCollector({ counts, slowest, report, monotonicMs, keep });
  reporter.onWanted((traceId) => collector.want(traceId));
  const byHand = (service: string): BulkStats => ({
    count(name, ms, failed = false, refusal) {
      collector.doNotCount(service);
      counts.count(service, name, 'consumer', ms, failed, refusal);
    },
    isSlow: (name, ms) => slowest.take(`${service} ${name} since its version`, ms),
    onTraceKept: (listener) => reporter.onWanted(listener),
  });
  return { reporter, collector, counts, byHand };
}
