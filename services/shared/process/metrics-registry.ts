import { readFileSync } from 'node:fs';
import { AggregatorRegistry, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export type MetricsRegistry = Registry;

/** How often the lag of the event loop is measured, in milliseconds: each time costs an idle process 0.1 ms. */
const LAG_INTERVAL_MS = 50;

/** Creates a registry with the process' own metrics (CPU, memory, event loop lag, ...) and the build's. */
export function createMetricsRegistry(options: { service: string }): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_INTERVAL_MS });
  new Gauge({
    name: 'heliograph_build_info',
    help: 'Always 1; the labels say what runs here. Panel "Versions"; alerts HeliographProcessDown, HeliographMixedVersions, HeliographEventLoopBusy, HeliographFilesRunOut',
    labelNames: ['service', 'version', 'node'],
    aggregator: 'first',
    registers: [registry],
  }).set({ service: options.service, version: readVersion(), node: process.versions.node }, 1);
  return registry;
}

/** A metric with its values, as `getMetricsAsJSON` answers and as one process may send to another. */
export type MetricJson = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number];

/** Renders the metrics of several processes as those of one: each metric says how that is done, by default as a sum. */
export function renderMerged(metrics: readonly MetricJson[][]): Promise<string> {
  return AggregatorRegistry.aggregate([...metrics]).metrics();
}

/**
 * What has to be kept of the metrics of a process that has ended, together with what was kept before: all that may
 * never go down, which is everything but gauges.
 */
export function mergeCounters(metrics: readonly MetricJson[][]): Promise<MetricJson[]> {
  const counters = metrics.map((own) => own.filter(({ type }) => String(type) !== 'gauge'));
  return AggregatorRegistry.aggregate(counters).getMetricsAsJSON();
}

function readVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
