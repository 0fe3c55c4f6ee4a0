import type { LatencySummary } from '../../services/loadtest/measure/latency.ts';
import type { Report } from '../../services/loadtest/report/report.ts';

export const SUMMARY: LatencySummary = { count: 20_000, p50: 12.3, p90: 20, p99: 45.6, 'p99.9': 78, max: 123 };

/** Returns the report of a small, successful test. */
export function loadTestReport(more: Partial<Report> = {}): Report {
  return {
    startedAt: '2026-11-24T22:50:00.000Z',
    durationS: 25,
    version: '1.2.3',
    commandLine: 'npm run loadtest -- --clients 2000',
    label: '',
    ended: 'completed',
    cluster: 'redis-server, a webhook and 1 relay, started on this machine',
    machine: { cpus: 2, memoryBytes: 24 * 1024 ** 3, node: 'v20.20.2' },
    settings: { ramp: '10 s', topics: '1' },
    plan: ['2,000 clients in 1 process'],
    clients: {
      planned: 2000,
      opened: 2000,
      open: 2000,
      failed: {},
      lost: {},
      reconnectFailed: {},
      redirected: 0,
      processExited: 0,
      handshakes: 2000,
      handshakesPerS: 200,
      handshakeLatency: SUMMARY,
    },
    updates: { due: 10, accepted: 10, failed: {}, retried: {}, responseLatency: SUMMARY },
    deliveries: { total: 20_000, perS: 2000, peakPerS: 2000, skipped: 0, duplicates: 0, caughtUp: 0 },
    latency: SUMMARY,
    slowLatency: undefined,
    notified: { p50: 12, p99: 40, p100: 50 },
    current: [
      {
        share: 0.5,
        updates: 10,
        never: 0,
        meanMs: 11,
        p50: 10,
        p99: 20,
        max: 30,
        perRelayMeanMs: 10.8,
        relaysMeanMs: 10.5,
      },
      {
        share: 1,
        updates: 10,
        never: 2,
        meanMs: 40,
        p50: 41,
        p99: 60,
        max: 70,
        perRelayMeanMs: 40,
        relaysMeanMs: undefined,
      },
    ],
    behind: [1, 5, 30].map((afterS) => ({ afterS, clients: 0, slow: 0 })),
    server: {
      cpuPerDeliveryUs: 10.5,
      memoryPerClientBytes: 2560,
      residentBytes: 1e8,
      conflated: 0,
      fellBehind: 0,
    },
    clientSide: {
      cpuPerDeliveryUs: 9.5,
      memoryPerClientBytes: 2048,
      residentBytes: 1e8,
      kernelPerClientBytes: 10_240,
      availableBytes: 2e10,
    },
    bottleneck: 'none found: CPU of this machine 20 % busy',
    thresholds: [{ name: 'failed', limit: 0, value: 0, passed: true }],
    phases: [
      { name: 'connect', fromS: 1, toS: 11 },
      { name: 'publish', fromS: 13, toS: 24 },
    ],
    series: Array.from({ length: 25 }, (_, i) => ({
      atS: i + 1,
      open: Math.min(2000, i * 200),
      handshakes: i < 11 ? 200 : 0,
      deliveries: i < 13 ? 0 : 2000,
      p50: i < 13 ? undefined : 12,
      p99: i < 13 ? undefined : 45,
      max: i < 13 ? undefined : 120,
      cpu: 0.2,
    })),
    latencyCurve: [
      [0, 5],
      [0.5, 12.3],
      [0.99, 45.6],
      [1, 123],
    ],
    slowLatencyCurve: [],
    notifiedCurve: [
      [0, 5],
      [0.5, 12],
      [1, 50],
    ],
    ...more,
  };
}

/** Returns the report of a test without any measurements: no client could connect, and the machine cannot be read. */
export function emptyReport(): Report {
  const { clients, deliveries, clientSide } = loadTestReport();
  return loadTestReport({
    clients: {
      ...{ ...clients, opened: 0, open: 0, handshakes: 0, handshakesPerS: 0, handshakeLatency: undefined },
      failed: { ECONNREFUSED: 2000 },
    },
    updates: { due: 0, accepted: 0, failed: {}, retried: {}, responseLatency: undefined },
    deliveries: { ...deliveries, total: 0, perS: 0, peakPerS: 0 },
    latency: undefined,
    notified: { p50: undefined, p99: undefined, p100: undefined },
    current: [],
    behind: [1, 5, 30].map((afterS) => ({ afterS, clients: undefined, slow: undefined })),
    server: {
      cpuPerDeliveryUs: undefined,
      memoryPerClientBytes: undefined,
      residentBytes: undefined,
      conflated: undefined,
      fellBehind: undefined,
    },
    clientSide: {
      ...{ cpuPerDeliveryUs: undefined, memoryPerClientBytes: undefined, kernelPerClientBytes: undefined },
      residentBytes: clientSide.residentBytes,
      availableBytes: clientSide.availableBytes,
    },
    thresholds: [{ name: 'failed', limit: 0, value: 1, passed: false }],
    phases: [],
    series: [],
    latencyCurve: [],
    notifiedCurve: [],
  });
}
