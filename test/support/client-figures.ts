import type { Figures } from '../../services/loadtest/measure/figures.ts';
import { Latency } from '../../services/loadtest/measure/latency.ts';

/** Returns the figures of a client process; all zero unless given. */
export function clientFigures(more: Partial<Figures> = {}): Figures {
  return {
    open: 0,
    opened: 0,
    handshakes: 0,
    failed: {},
    lost: {},
    reconnectFailed: {},
    redirected: 0,
    deliveries: 0,
    skipped: 0,
    duplicates: 0,
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

/** Encodes latencies in milliseconds as a client process does. */
export function latencyText(...values: number[]): string | undefined {
  const latency = new Latency();
  for (const ms of values) latency.record(ms);
  return latency.take();
}
