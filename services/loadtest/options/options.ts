import type { Mix } from '../clients/transport-mix.ts';
import type { Target } from '../wire/target.ts';
import type { Threshold } from './thresholds.ts';

/** A cluster that is there already. */
export interface TargetCluster {
  readonly relays: readonly Target[];
  readonly webhookUrl: string;
  readonly metricsUrls: readonly string[];
}

/** What a load test is to do. Durations are in milliseconds, shares from 0 to 1. */
export interface LoadtestOptions {
  /** undefined: a cluster is started on this machine. */
  readonly cluster: TargetCluster | undefined;
  /** undefined: as many as suit this machine. */
  readonly clients: number | undefined;
  readonly rampMs: number;
  readonly topics: number;
  readonly topicsPerClient: number;
  readonly topicSpread: 'even' | 'zipf';
  readonly topicPrefix: string;
  readonly updatesPerSecond: number;
  readonly payloadBytes: number;
  readonly durationMs: number;
  readonly mix: Mix;
  readonly slowShare: number;
  readonly slowPauseMs: number;
  readonly churnPerSecond: number;
  /** undefined: as many as are needed. */
  readonly processes: number | undefined;
  readonly relays: number | undefined;
  readonly thresholds: readonly Threshold[];
  /** undefined: what suits this machine. */
  readonly keepFreeBytes: number | undefined;
  readonly maxTimeMs: number;
  readonly htmlFile: string | undefined;
  readonly jsonFile: string | undefined;
  readonly label: string;
  readonly mayShrink: boolean;
  readonly onlyPlan: boolean;
}
