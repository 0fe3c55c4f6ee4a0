import type { CurrentWithin } from '../measure/current-times.ts';
import type { Reasons } from '../measure/figures.ts';
import type { LatencySummary } from '../measure/latency.ts';
import type { ThresholdResult } from '../options/thresholds.ts';

/** One second of a load test. */
export interface Point {
  readonly atS: number;
  readonly open: number;
  readonly handshakes: number;
  readonly deliveries: number;
  /** Latencies of this second, in milliseconds; undefined without deliveries. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly max: number | undefined;
  /** Utilization of all cores of this machine, from 0 to 1. */
  readonly cpu: number | undefined;
}

/** The points of a cumulative distribution: shares from 0 to 1 and milliseconds. */
export type Curve = readonly (readonly [share: number, ms: number])[];

/** The results of a load test. Durations are in milliseconds unless the name has another unit; shares are from 0 to 1. */
export interface Report {
  readonly startedAt: string;
  readonly durationS: number;
  /** The version of the load test. */
  readonly version: string;
  /** The command line that started it, without credentials. */
  readonly commandLine: string;
  readonly label: string;
  readonly ended: 'completed' | 'interrupted' | 'out of time';
  readonly cluster: string;
  readonly machine: { readonly cpus: number; readonly memoryBytes: number; readonly node: string };
  readonly settings: Readonly<Record<string, string>>;
  readonly plan: readonly string[];
  readonly clients: {
    readonly planned: number;
    /** Clients that connected at least once. */
    readonly opened: number;
    /** Clients connected at the end. */
    readonly open: number;
    readonly failed: Reasons;
    readonly lost: Reasons;
    /** Failed attempts to reconnect. */
    readonly reconnectFailed: Reasons;
    /** Connections that a relay with more than its share refused; their clients tried the next one at once. */
    readonly redirected: number;
    /** Clients whose process exited unexpectedly. */
    readonly processExited: number;
    readonly handshakes: number;
    /** During the ramp. */
    readonly handshakesPerS: number;
    readonly handshakeLatency: LatencySummary | undefined;
  };
  readonly updates: {
    readonly due: number;
    readonly accepted: number;
    readonly failed: Reasons;
    /** Failed calls that were retried. */
    readonly retried: Reasons;
    /** From the due time of an update until the response of the webhook. */
    readonly responseLatency: LatencySummary | undefined;
  };
  readonly deliveries: {
    readonly total: number;
    readonly perS: number;
    readonly peakPerS: number;
    /** Updates replaced by a newer one of the same topic before delivery. */
    readonly skipped: number;
    readonly duplicates: number;
    /** Updates from before a client connected. */
    readonly caughtUp: number;
  };
  /** From the due time of an update until a client received it. */
  readonly latency: LatencySummary | undefined;
  readonly slowLatency: LatencySummary | undefined;
  /** The time until a share of the clients had the last update of their topics; undefined if it never had. */
  readonly notified: {
    readonly p50: number | undefined;
    readonly p99: number | undefined;
    readonly p100: number | undefined;
  };
  /** From the version of an update until a share of its connected subscribers was current. */
  readonly current: readonly CurrentWithin[];
  /** Clients without the last update `afterS` seconds after it was due; undefined if this was not checked. */
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
  readonly clientSide: {
    /** CPU of the client processes while updates were published. */
    readonly cpuPerDeliveryUs: number | undefined;
    readonly memoryPerClientBytes: number | undefined;
    readonly residentBytes: number;
    /** Kernel memory per client, for both connection ends if the cluster is local; undefined for few clients. */
    readonly kernelPerClientBytes: number | undefined;
    readonly availableBytes: number;
  };
  readonly bottleneck: string;
  readonly thresholds: readonly ThresholdResult[];
  /** Phases of the test, on the time axis of the series. */
  readonly phases: readonly { readonly name: string; readonly fromS: number; readonly toS: number }[];
  readonly series: readonly Point[];
  readonly latencyCurve: Curve;
  readonly slowLatencyCurve: Curve;
  readonly notifiedCurve: Curve;
}
