import { fork } from 'node:child_process';
import type { SimulationResult } from './run-simulation.ts';

/** The part of a run's result that a worker reports. */
export type SeedResult = Pick<SimulationResult, 'seed' | 'failures' | 'backAfterMs' | 'repairedAfterMs'>;

/**
 * Runs seeds in several processes.
 * @param options.finished called after each run, in the order in which they end
 */
export async function runSeeds(options: {
  seeds: Iterable<number>;
  steps: number;
  workers: number;
  finished: (result: SeedResult) => void;
}): Promise<void> {
  const { steps, finished } = options;
  const seeds = options.seeds[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: options.workers }, async () => {
      const worker = fork(new URL('./simulation-worker.ts', import.meta.url));
      await new Promise<void>((resolve, reject) => {
        const next = () => {
          const { value: seed, done } = seeds.next();
          if (done) worker.disconnect();
          else worker.send({ seed, steps });
        };
        worker.on('message', (result: SeedResult) => {
          finished(result);
          next();
        });
        worker.on('error', reject);
        worker.on('exit', (code) =>
          code === 0 ? resolve() : reject(new Error('a process of the simulator has ended')),
        );
        next();
      });
    }),
  );
}
