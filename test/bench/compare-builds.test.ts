import { describe, expect, it } from 'vitest';
import type { Bench, BenchResult } from './bench.ts';
import { renderReport } from './render-report.ts';

const OWN = 'CPU: Heliograph, 16 topics';
const OTHER = 'CPU: Heliograph, other build, 16 topics';
const STEADY = [100, 101, 99, 100, 102, 98, 100];

/** Returns the verdicts of the report, by the name of the value, and its last line. */
function report(samples: BenchResult['samples'], moreIsBetter?: string[]) {
  const run = () => Promise.reject(new Error('not run'));
  const benches: Bench[] = [{ name: 'a-bench', description: 'A bench', run }];
  const result = { columns: [], rows: [], goals: [], samples, ...(moreIsBetter ? { moreIsBetter } : {}) };
  const text = renderReport({ benches, results: { 'a-bench': result }, loads: [1] });
  const rows = text.split('\n').filter((line) => line.startsWith('| a-bench '));
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
  return {
    verdicts: Object.fromEntries(cells.map(([, , name, , , verdict]) => [name, verdict])),
    ratios: cells.map(([, , , ratio, spread]) => [ratio, spread]),
    lastLine: text.trimEnd().split('\n').at(-1),
  };
}

const times = (factor: number) => STEADY.map((value, i) => value * factor * (i % 2 === 0 ? 1.01 : 0.99));

describe('the comparison of two builds', () => {
  it('marks a value that is more than 10 % worse as a regression, and counts it', () => {
    const { verdicts, ratios, lastLine } = report({ [OTHER]: STEADY, [OWN]: times(1.11), 'CPU: bare': STEADY });
    expect(verdicts).toEqual({ [OWN]: 'REGRESSION' });
    expect(ratios).toEqual([['1.12 (1.10 to 1.12)', '2 %']]);
    expect(lastLine).toMatch(/^1 of 1 values /);
  });

  it.each([0.95, 1, 1.05])('marks none that is %d of the other build', (factor) => {
    const { verdicts, lastLine } = report({ [OTHER]: STEADY, [OWN]: times(factor) });
    expect(verdicts).toEqual({ [OWN]: '' });
    expect(lastLine).toMatch(/^0 of 1 values /);
  });

  it('marks a value that is better', () => {
    expect(report({ [OTHER]: STEADY, [OWN]: times(0.85) }).verdicts).toEqual({ [OWN]: 'better' });
  });

  it('marks a difference only if it is more than the rounds of the run differ by', () => {
    const noisy = [80, 125, 150, 95, 160, 112, 118];
    expect(report({ [OTHER]: STEADY, [OWN]: noisy }).verdicts).toEqual({ [OWN]: '' });
    expect(report({ [OTHER]: STEADY, [OWN]: noisy.map((value) => value * 1.5) }).verdicts).toEqual({
      [OWN]: 'REGRESSION',
    });
  });

  it('pairs the values of a round, which a busy machine slows alike', () => {
    const busy = (value: number, i: number) => value * (i < 3 ? 3 : 1);
    const { verdicts } = report({ [OTHER]: STEADY.map(busy), [OWN]: times(1.2).map(busy) });
    expect(verdicts).toEqual({ [OWN]: 'REGRESSION' });
  });

  it('knows of which values more is better', () => {
    const rates = { 'per second: a, other build': STEADY, 'per second: a': times(0.85) };
    expect(report(rates, ['per second']).verdicts).toEqual({ 'per second: a': 'REGRESSION' });
  });

  it('has no verdict on a single round, nor on values of 0', () => {
    expect(report({ [OTHER]: [100], [OWN]: [200] }).verdicts).toEqual({ [OWN]: 'not comparable' });
    expect(report({ [OTHER]: [0, 0, 1], [OWN]: [1, 1, 1] }).verdicts).toEqual({ [OWN]: 'not comparable' });
  });

  it('is left out without another build', () => {
    expect(report({ [OWN]: STEADY }).verdicts).toEqual({});
  });
});
