import { describe, expect, it } from 'vitest';
import { expectPromise, seedsFrom } from './expect-promise.ts';
import { runSimulation } from './run-simulation.ts';

const STEPS = 200;

describe('the promise, in a simulated cluster', () => {
  it('holds through faults of every kind at once, for 200 seeds', { timeout: 300_000 }, async () => {
    const results = await expectPromise(seedsFrom(1, 200), { steps: STEPS });
    const worst = (times: number[]) => `${Math.max(...times)} ms at worst`;
    console.info(
      `simulated time after the last fault: ${worst(results.map(({ repairedAfterMs }) => repairedAfterMs))} until ` +
        `who had a line was up to date, ${worst(results.map(({ backAfterMs }) => backAfterMs))} until all had one`,
    );
  });

  it('is tried in the same way whenever the seed is the same, and in another where it is another', async () => {
    const [first, again, other] = [
      await runSimulation({ seed: 7, steps: STEPS }),
      await runSimulation({ seed: 7, steps: STEPS }),
      await runSimulation({ seed: 8, steps: STEPS }),
    ];
    expect(first.trace.length).toBeGreaterThan(100);
    expect(again).toEqual(first);
    expect(other.digest).not.toBe(first.digest);
  });
});
