import { runSimulation } from './run-simulation.ts';
import type { SeedResult } from './simulation-workers.ts';

/** A process that runs one seed after the other, for `runSeeds`. */
process.on('message', async ({ seed, steps }: { seed: number; steps: number }) => {
  const { failures, backAfterMs, repairedAfterMs } = await runSimulation({ seed, steps });
  process.send?.({ seed, failures, backAfterMs, repairedAfterMs } satisfies SeedResult);
});
