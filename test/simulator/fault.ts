import type { SeededRandom } from './seeded-random.ts';
import type { Simulation } from './simulation.ts';

/** An event that a simulation injects: a failure, or a change by clients or the app. */
export interface Fault {
  readonly name: string;
  /** The probability of being chosen, relative to the weights of other faults. */
  readonly weight: number;
  /** The longest duration, in milliseconds; 0 for a fault without one. */
  readonly maxMs: number;
  /** Whether it makes Redis lose data, or steps its clock. */
  readonly affectsRedis?: boolean;
  /**
   * Injects the fault. Returns its description and how to end it; undefined if it is not possible now.
   * @param random for the choices of this fault alone, so that they stay if other faults are left out
   */
  begin(simulation: Simulation, random: SeededRandom): { readonly what: string; end?(): void } | undefined;
}
