import type { Figures } from '../../services/loadtest/measure/figures.ts';
import { Latency } from '../../services/loadtest/measure/latency.ts';

/** What a process of clients of a load test might report. */
export function clientFigures(more: Partial<Figures> = {}): Figures {
  return {
    open: 0,
    opened: 0,
    handshakes: 0,
    failed: {},
    lost: {},
    notBack: {},
    deliveries: 0,
    skipped: 0,
    repeated: 0,
    caughtUp: 0,
    utilization: 0,
    residentBytes: 0,
    cpuS: 0,
    latency: undefined,
    slowLatency: undefined,
    handshakeLatency: undefined,
    ...more,
  };
}

/** Latencies in milliseconds, as a process sends them. */
export function latencyText(...values: number[]): string | undefined {
  const latency = new Latency();
  for (const ms of values) latency.record(ms);
  return latency.take();
}
