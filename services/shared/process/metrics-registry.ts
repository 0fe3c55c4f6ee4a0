import { AggregatorRegistry, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { readPackageVersion } from '../package-version.ts';

export type MetricsRegistry = Registry;

/** Sampling interval of the event loop lag, in milliseconds. Each sample costs an idle process 0.1 ms. */
const LAG_INTERVAL_MS = 50;

/** Identifies what runs, by its labels. */
class BuildInfo extends Gauge {
  #values: Record<string, string>;

  constructor(registry: Registry, values: { service: string; version: string; node: string }) {
    super({
      name: 'heliograph_build_info',
      help: 'Always 1. The labels identify the service, its version and that of Node, and the engine of a relay. Panel "Versions"; alerts HeliographProcessDown, HeliographMixedVersions, HeliographEventLoopBusy, HeliographFilesRunOut',
      labelNames: ['service', 'version', 'node', 'engine', 'engine_reason'],
      aggregator: 'first',
      registers: [registry],
    });
    this.#values = values;
    this.add({});
  }

  add(values: Readonly<Record<string, string>>): void {
    this.#values = { ...this.#values, ...values };
    this.reset();
    this.set(this.#values, 1);
  }
}

/** Creates a registry with the metrics of the process (CPU, memory, event loop lag, ...) and of the build. */
export function createMetricsRegistry(options: { service: string }): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_INTERVAL_MS });
  new BuildInfo(registry, { service: options.service, version: readPackageVersion(), node: process.versions.node });
  return registry;
}

/** Adds labels to `heliograph_build_info`, if the registry has it. */
export function addBuildLabels(registry: MetricsRegistry, labels: { engine: string; engine_reason: string }): void {
  const info = registry.getSingleMetric('heliograph_build_info');
  if (info instanceof BuildInfo) info.add(labels);
}

/** A metric with its values, as returned by `getMetricsAsJSON`, in a form that processes can exchange. */
export type MetricJson = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number];

/** Renders the merged metrics of several processes. Each metric defines its aggregation; the default is the sum. */
export function renderMerged(metrics: readonly MetricJson[][]): Promise<string> {
  return AggregatorRegistry.aggregate([...metrics]).metrics();
}

/**
 * Merges the counters and histograms of several processes, and drops gauges. The result stands for processes that have
 * exited, so that no counter ever decreases.
 */
export function mergeCounters(metrics: readonly MetricJson[][]): Promise<MetricJson[]> {
  const counters = metrics.map((own) => own.filter(({ type }) => String(type) !== 'gauge'));
  return AggregatorRegistry.aggregate(counters).getMetricsAsJSON();
}
