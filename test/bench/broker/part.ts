import type { BenchContext, Goal } from '../bench.ts';
import type { Samples } from '../statistics.ts';

/** A part of the bench `broker`: rows of its table, and goals. */
export interface Part {
  readonly rows: readonly Row[];
  readonly goals?: readonly Goal[];
}

/** A row: its subject; the cost with its unit; and the ratio to something else of the same run, or an explanation. */
export type Row = readonly [what: string, cost: string, relative: string];

/** Measures a part, and collects the measured values. */
export type MeasurePart = (context: BenchContext, samples: Samples) => Promise<Part>;
