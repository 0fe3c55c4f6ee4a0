import { runSimulation, type SimulationResult } from './run-simulation.ts';

/** The number of trace lines that a failed test shows. */
const SHOWN_LINES = 80;

/** Runs the simulator for each seed. Throws if the promise is violated, with the trace and how to reproduce it. */
export async function expectPromise(
  seeds: readonly number[],
  options: Omit<Parameters<typeof runSimulation>[0], 'seed'>,
): Promise<readonly SimulationResult[]> {
  const results: SimulationResult[] = [];
  for (const seed of seeds) {
    const result = await runSimulation({ ...options, seed });
    results.push(result);
    if (result.failures.length === 0) continue;
    const { failures, trace } = result;
    throw new Error(
      [
        `seed ${seed} violates the promise: npm run simulate -- --seed ${seed} --steps ${options.steps}`,
        ...failures.map((failure) => `  ${failure}`),
        ...trace.slice(-SHOWN_LINES),
      ].join('\n'),
    );
  }
  return results;
}

/** Returns `count` consecutive seeds. */
export function seedsFrom(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
