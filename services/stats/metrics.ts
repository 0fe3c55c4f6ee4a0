import { Counter, Gauge, type Registry } from 'prom-client';
import type { StoreReport } from './recorder/reporter.ts';

/** Turns what call statistics report of themselves into metrics. */
export function createStatsMetrics(deps: { registry: Registry }): StoreReport {
  const registers = [deps.registry];
  let spans = 0; // counted by hand: it happens several times for each request
  new Counter({
    name: 'stats_spans_recorded_total',
    help: 'Spans that were recorded, whether they are kept or not. Panel "Call statistics"',
    registers,
    collect() {
      this.inc(spans);
      spans = 0;
    },
  });
  const dropped = new Counter({
    name: 'stats_spans_dropped_total',
    help: 'Spans that should have been kept and were not: over a limit, or since the store did not take them. Panel "Call statistics"',
    labelNames: ['reason'],
    registers,
  });
  const kept = new Counter({
    name: 'stats_traces_kept_total',
    help: 'Traces that this process keeps, and why: a sample, slow, failed, or wanted by another process. Panel "Call statistics"',
    labelNames: ['reason'],
    registers,
  });
  const failures = new Counter({
    name: 'stats_store_failures_total',
    help: 'Reports that the store did not take. Panel "Call statistics"',
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
    help: 'Size of the traces in the store that all processes share. Panel "Stored statistics"',
    aggregator: 'max',
    registers,
  });
  // Nothing is an answer too.
  for (const reason of ['limit', 'store']) dropped.inc({ reason }, 0);
  for (const reason of ['sample', 'slow', 'error', 'wanted']) kept.inc({ reason }, 0);
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
