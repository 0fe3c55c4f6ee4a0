import type { LoadtestOptions, TargetCluster } from '../options/options.ts';
import type { Machine } from '../plan/machine.ts';
import type { Plan } from '../plan/plan.ts';
import type { Credentials } from './client-plans.ts';
import type { Progress } from './progress.ts';

/** When it is looked who is up to date, in seconds after the last update was due. */
export const CHECKS_S = [1, 5, 30, 120] as const;

/** What a load test needs. */
export interface LoadTestDeps {
  readonly options: LoadtestOptions;
  readonly plan: Plan;
  readonly machine: Machine;
  readonly cluster: TargetCluster;
  readonly what: string;
  readonly credentials: Credentials;
  readonly progress: Progress;
  /** Ends the test early, with the report so far; its reason says why. */
  readonly signal: AbortSignal;
}
