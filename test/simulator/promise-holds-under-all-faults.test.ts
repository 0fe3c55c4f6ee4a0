import { describe, expect, it } from 'vitest';
import { expectPromise, seedsFrom } from './expect-promise.ts';
import { runSimulation } from './run-simulation.ts';

const STEPS = 200;

describe('the promise, in a simulated cluster', () => {
  it('holds under faults of every kind at once, for 200 seeds', async () => {
    const results = await expectPromise(seedsFrom(1, 200), { steps: STEPS });
    const worst = (times: number[]) => `at most ${Math.max(...times)} ms`;
    console.info(
      `simulated time after the last fault: ${worst(results.map(({ repairedAfterMs }) => repairedAfterMs))} until connected ` +
        `clients were up to date, ${worst(results.map(({ backAfterMs }) => backAfterMs))} until all were connected`,
    );
  });

  it('is tested the same way with the same seed, and another way with another', async () => {
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
