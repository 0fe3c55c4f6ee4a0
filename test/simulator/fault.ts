import type { Simulation } from './simulation.ts';

/** Something that goes wrong, or changes. */
export interface Fault {
  readonly name: string;
  /** How often it is chosen, in proportion to others. */
  readonly weight: number;
  /** How long it lasts at most, in milliseconds; 0 for what only happens. */
  readonly maxMs: number;
  /** Whether it makes Redis forget, or clocks step. */
  readonly disturbsRedis?: boolean;
  /** Lets it begin; returns what ends it. Undefined where it cannot happen now. */
  begin(simulation: Simulation): { readonly what: string; end?(): void } | undefined;
}
