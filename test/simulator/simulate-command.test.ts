import { describe, expect, it } from 'vitest';
import { startProgram } from '../support/child-program.ts';
import { runSimulation } from './run-simulation.ts';
import { shrinkFailure } from './shrink-failure.ts';

async function simulate(...args: string[]) {
  const program = startProgram({ file: 'test/simulator/main.ts', args });
  const { code } = await program.ended;
  return { code, ...program.output() };
}

describe('npm run simulate', () => {
  it('shares seeds between processes, and reports their number', async () => {
    const { code, stdout } = await simulate('--seed', '7', '--seeds', '3', '--steps', '20', '--workers', '2');
    expect(stdout).toMatch(/^3 of 3 runs kept the promise, in /);
    expect(code).toBe(0);
  });

  it.each([
    [['--seed', 'x'], '--seed must be an integer from 0 to 4294967295, not x'],
    [['--steps', '0'], '--steps must be an integer from 1 to 100000, not 0'],
    [['--shrink', '--seeds', '2'], '--shrink takes one seed, without --seeds'],
    [['--shrinks'], "Unknown option '--shrinks'"],
  ])('refuses %j with the reason and its options', async (args, reason) => {
    const { code, stderr } = await simulate(...args);
    expect(stderr).toMatch(/--seeds N +how many seeds/);
    expect(stderr.startsWith(`${reason}\n`)).toBe(true);
    expect(code).toBe(2);
  });

  it('prints its options', async () => {
    const { code, stdout } = await simulate('--help');
    expect(stdout).toMatch(/--shrink +reduces a seed that fails to a minimal list of faults/);
    expect(code).toBe(0);
  });
});

describe('a failing seed', () => {
  it('is shrunk to faults that are all needed', async () => {
    const options = { seed: 0, steps: 60, sabotage: 'floor' } as const;
    let failed = await runSimulation(options);
    while (failed.failures.length === 0) failed = await runSimulation({ ...options, seed: failed.seed + 1 });
    const { seed } = failed;
    const shrunk = await shrinkFailure({ failed, options: { ...options, seed } });
    expect(shrunk.failures).not.toEqual([]);
    expect(shrunk.injected.length).toBeLessThan(failed.injected.length / 2);
    for (const { step: removed } of shrunk.injected) {
      const kept = new Set(shrunk.injected.map(({ step }) => step).filter((step) => step !== removed));
      const { failures } = await runSimulation({ ...options, seed, includes: (step) => kept.has(step) });
      expect(failures).toEqual([]);
    }
  });
});
