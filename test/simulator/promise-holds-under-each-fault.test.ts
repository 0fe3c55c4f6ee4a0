import { describe, expect, it } from 'vitest';
import { CLIENT_FAULTS, PUBLISHING } from './client-faults.ts';
import { expectPromise, seedsFrom } from './expect-promise.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import { runSimulation } from './run-simulation.ts';
import type { Sabotage } from './sabotage.ts';

const STEPS = 200;
/** The number of seeds that CI runs. */
const SEEDS = 200;

describe('the promise, in a simulated cluster', () => {
  for (const [what, faults, first] of [
    ['publishing and clients that connect and disconnect', [], 1000],
    ['faults of Redis servers', REDIS_FAULTS, 2000],
    ['faults of the network between processes and Redis', NETWORK_FAULTS, 3000],
    ['faults of relays and webhooks', PROCESS_FAULTS, 4000],
  ] as const) {
    it(`holds under ${what}`, async () => {
      await expectPromise(seedsFrom(first, 25), { steps: STEPS, faults: [PUBLISHING, ...CLIENT_FAULTS, ...faults] });
    });
  }
});

describe('the simulator', () => {
  for (const sabotage of ['repair', 'fallback', 'floor', 'resume', 'catch-up'] satisfies Sabotage[]) {
    it(`detects that ${sabotage} is missing, within the seeds that CI runs`, async () => {
      let found: string | undefined;
      for (let seed = 1; seed <= SEEDS && found === undefined; seed += 1) {
        const { failures } = await runSimulation({ seed, steps: STEPS, sabotage });
        found = failures.find((failure) => /was (not|never) notified of #/.test(failure));
      }
      expect(found).toBeDefined();
    });
  }
});
