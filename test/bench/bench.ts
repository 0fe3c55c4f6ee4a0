import type { RedisProcess } from '../support/redis-process.ts';

/** What a bench may use. */
export interface BenchContext {
  readonly redis: RedisProcess;
  /** Fewer clients and rounds: shows that it runs, and roughly what comes out. */
  readonly quick: boolean;
  /** The folder of another build to compare relays with, instead of with what others use. */
  readonly against: string | undefined;
  /** Says what is being done. */
  progress(text: string): void;
}

/** Something that was promised of what was measured. */
export interface Goal {
  readonly what: string;
  readonly atMost: number;
  readonly measured: number;
}

/** What came out of a bench: a table, what it says about the goals, and every number that was measured. */
export interface BenchResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly goals: readonly Goal[];
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/** One question that is answered by measuring. */
export interface Bench {
  readonly name: string;
  /** What is measured, in a sentence. */
  readonly what: string;
  run(context: BenchContext): Promise<BenchResult>;
}
