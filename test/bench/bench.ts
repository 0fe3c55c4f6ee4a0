import type { RedisProcess } from '../support/redis-process.ts';

/** The resources of a bench. */
export interface BenchContext {
  readonly redis: RedisProcess;
  /** Use fewer clients and rounds, for approximate results. */
  readonly quick: boolean;
  /** Folder of another build to compare with, instead of the peers. */
  readonly against: string | undefined;
  /** Reports progress. */
  progress(text: string): void;
}

/** A goal with its measured value. */
export interface Goal {
  readonly description: string;
  readonly atMost: number;
  readonly measured: number;
}

/** The results of a bench: a table, its goals, and all measured values. */
export interface BenchResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly goals: readonly Goal[];
  /** By name, one for each round. Those of another build have `OTHER_BUILD` in their name. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  /** Parts of the names of samples of which more is better; of all others, less is. */
  readonly moreIsBetter?: readonly string[];
}

/** A benchmark. */
export interface Bench {
  readonly name: string;
  /** Description of the measurement, as a phrase. */
  readonly description: string;
  /** Runs by `--only` alone, because it takes minutes by itself. */
  readonly isLong?: boolean;
  run(context: BenchContext): Promise<BenchResult>;
}
