import type { Reasons } from '../measure/figures.ts';
import type { LatencySummary } from '../measure/latency.ts';
import type { Verdict } from '../options/thresholds.ts';

/** One second of a load test. */
export interface Point {
  readonly atS: number;
  readonly open: number;
  readonly handshakes: number;
  readonly deliveries: number;
  /** Latencies of this second, in milliseconds; undefined where nobody was told. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly max: number | undefined;
  /** Part of all cores of this machine that was busy, from 0 to 1. */
  readonly cpu: number | undefined;
}

/** A share of something against milliseconds, for a plot. */
export type Curve = readonly (readonly [share: number, ms: number])[];

/** What a load test has found; durations in milliseconds unless a name says otherwise. Shares are from 0 to 1. */
export interface Report {
  readonly startedAt: string;
  readonly tookS: number;
  readonly label: string;
  /** Why it ended. */
  readonly ended: 'completed' | 'interrupted' | 'out of time';
  readonly cluster: string;
  readonly machine: { readonly cpus: number; readonly memoryBytes: number; readonly node: string };
  readonly settings: Readonly<Record<string, string>>;
  readonly plan: readonly string[];
  readonly clients: {
    readonly wanted: number;
    readonly opened: number;
    readonly open: number;
    readonly failed: Reasons;
    readonly lost: Reasons;
    /** Attempts to come back that failed. */
    readonly notBack: Reasons;
    /** Clients whose process ended. */
    readonly died: number;
    readonly handshakes: number;
    /** Over the ramp. */
    readonly handshakesPerS: number;
    readonly handshakeLatency: LatencySummary | undefined;
  };
  readonly updates: {
    readonly due: number;
    readonly accepted: number;
    readonly failed: Reasons;
    /** Calls that failed and were made again. */
    readonly repeated: Reasons;
    readonly answers: LatencySummary | undefined;
  };
  readonly deliveries: {
    readonly total: number;
    readonly perS: number;
    readonly peakPerS: number;
    readonly skipped: number;
    readonly repeated: number;
    readonly caughtUp: number;
  };
  readonly latency: LatencySummary | undefined;
  readonly slowLatency: LatencySummary | undefined;
  /** How long until this share of the clients had the last update of their topics; undefined where they never had. */
  readonly told: {
    readonly p50: number | undefined;
    readonly p99: number | undefined;
    readonly p100: number | undefined;
  };
  /** Clients not up to date so long after the last update was due; undefined where it was not looked. */
  readonly behind: readonly {
    readonly afterS: number;
    readonly clients: number | undefined;
    readonly slow: number | undefined;
  }[];
  readonly server: {
    readonly cpuPerDeliveryUs: number | undefined;
    readonly memoryPerClientBytes: number | undefined;
    readonly residentBytes: number | undefined;
    readonly conflated: number | undefined;
    readonly fellBehind: number | undefined;
  };
  readonly own: {
    /** Of the processes of the clients, while updates were published. */
    readonly cpuPerDeliveryUs: number | undefined;
    readonly memoryPerClientBytes: number | undefined;
    readonly residentBytes: number;
    /** The kernel's objects for each client; both ends where the cluster is here too. undefined for few clients. */
    readonly kernelPerClientBytes: number | undefined;
    readonly availableBytes: number;
  };
  readonly wall: string;
  readonly verdicts: readonly Verdict[];
  /** Parts of the test along the series. */
  readonly phases: readonly { readonly name: string; readonly fromS: number; readonly toS: number }[];
  readonly series: readonly Point[];
  readonly latencyCurve: Curve;
  readonly slowLatencyCurve: Curve;
  readonly toldCurve: Curve;
}
