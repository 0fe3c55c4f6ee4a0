import type { TransportMix } from '../clients/transport-mix.ts';
import type { Target } from '../wire/target.ts';
import type { Threshold } from './thresholds.ts';

/** The addresses of a running cluster. */
export interface TargetCluster {
  readonly relays: readonly Target[];
  readonly webhookUrl: string;
  readonly metricsUrls: readonly string[];
}

/** The parsed command line. Durations are in milliseconds, shares from 0 to 1. */
export interface LoadtestOptions {
  /** undefined: start a cluster on this machine. */
  readonly cluster: TargetCluster | undefined;
  /** undefined: a number that suits this machine. */
  readonly clients: number | undefined;
  readonly rampMs: number;
  readonly topics: number;
  readonly topicsPerClient: number;
  readonly topicSpread: 'even' | 'zipf';
  readonly topicPrefix: string;
  readonly updatesPerSecond: number;
  readonly payloadBytes: number;
  readonly durationMs: number;
  readonly mix: TransportMix;
  readonly slowShare: number;
  readonly slowPauseMs: number;
  readonly churnPerSecond: number;
  /** undefined: as many as needed. */
  readonly processes: number | undefined;
  readonly relays: number | undefined;
  readonly thresholds: readonly Threshold[];
  /** undefined: a size that suits this machine. */
  readonly keepFreeBytes: number | undefined;
  readonly maxTimeMs: number;
  readonly htmlFile: string | undefined;
  readonly jsonFile: string | undefined;
  readonly label: string;
  /** Run fewer clients if not all fit. */
  readonly mayShrink: boolean;
  /** Show the plan and exit. */
  readonly planOnly: boolean;
}
