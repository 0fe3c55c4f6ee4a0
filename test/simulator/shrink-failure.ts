import { runSimulation, type SimulationResult } from './run-simulation.ts';

/**
 * Finds a minimal part of the faults of a failing run that still fails: without any one of them, the promise is kept.
 * @param deps.tried called after each run with the number of faults that are left
 * @returns the result of the run with these faults only
 */
export async function shrinkFailure(deps: {
  failed: SimulationResult;
  options: Omit<Parameters<typeof runSimulation>[0], 'includes'>;
  tried?: (left: number) => void;
}): Promise<SimulationResult> {
  const { options, tried = () => {} } = deps;
  let smallest = deps.failed;
  const stepsOf = ({ injected }: SimulationResult) => injected.map(({ step }) => step);
  for (let size = Math.ceil(smallest.injected.length / 2); size > 0; ) {
    let hasShrunk = false;
    for (let from = 0; from < smallest.injected.length; ) {
      const kept = new Set(stepsOf(smallest).toSpliced(from, size));
      const result = await runSimulation({ ...options, includes: (step) => kept.has(step) });
      if (result.failures.length > 0) [smallest, hasShrunk] = [result, true];
      else from += size;
      tried(smallest.injected.length);
    }
    // Leaving out one fault can make another one unnecessary that was needed before.
    if (size > 1 || !hasShrunk) size = Math.floor(size / 2);
  }
  return smallest;
}
