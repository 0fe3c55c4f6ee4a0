import { Counter, Gauge, type Registry } from 'prom-client';
import type { StoreReport } from './recorder/reporter.ts';

/** Creates the metrics of the call statistics themselves. */
export function createStatsMetrics(deps: { registry: Registry }): StoreReport {
  const registers = [deps.registry];
  let spans = 0; // a plain number, since this happens several times per request
  new Counter({
    name: 'stats_spans_recorded_total',
    help: 'Spans recorded, kept or not. Panel "Call statistics"',
    registers,
    collect() {
      this.inc(spans);
      spans = 0;
    },
  });
  const dropped = new Counter({
    name: 'stats_spans_dropped_total',
    help: 'Spans lost: over a limit, or not accepted by the store. Panel "Call statistics"',
    labelNames: ['reason'],
    registers,
  });
  const kept = new Counter({
    name: 'stats_traces_kept_total',
    help: 'Traces kept by this process, by reason: sample, slow, error, refused, or wanted by another process. Panel "Call statistics"',
    labelNames: ['reason'],
    registers,
  });
  const failures = new Counter({
    name: 'stats_store_failures_total',
    help: 'Reports that the store did not accept. Panel "Call statistics"',
    registers,
  });
  const traces = new Gauge({
    name: 'stats_store_traces',
    help: 'Traces in the store that all processes share. Panel "Stored statistics"',
    aggregator: 'max',
    registers,
  });
  const bytes = new Gauge({
    name: 'stats_store_bytes',
    help: 'Size in bytes of the traces in the store that all processes share. Panel "Stored statistics"',
    aggregator: 'max',
    registers,
  });
  // Exported as 0 from the start.
  for (const reason of ['limit', 'store']) dropped.inc({ reason }, 0);
  for (const reason of ['sample', 'slow', 'error', 'refused', 'wanted']) kept.inc({ reason }, 0);
  return {
    spanRecorded() {
      spans += 1;
    },
    spansDropped: (count, reason) => dropped.inc({ reason }, count),
    traceKept: (reason) => kept.inc({ reason }),
    stored(size) {
      traces.set(size.traces);
      bytes.set(size.bytes);
    },
    storeFailed: () => failures.inc(),
  };
}
