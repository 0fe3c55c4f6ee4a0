import { describe, expect, it } from 'vitest';
import { expectPromise, seedsFrom } from './expect-promise.ts';
import { runSimulation } from './run-simulation.ts';

const STEPS = 200;

describe('the promise, in a simulated cluster', () => {
  it('holds through faults of every kind at once, for 200 seeds', { timeout: 300_000 }, async () => {
    const results = await expectPromise(seedsFrom(1, 200), { steps: STEPS });
    const repaired = results.map(({ repairedAfterMs }) => repairedAfterMs).sort((a, b) => a - b);
    console.info(`simulated time until all were up to date after the last fault: at worst ${repaired.at(-1)} ms`);
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
