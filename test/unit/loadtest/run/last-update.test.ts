import { describe, expect, it } from 'vitest';
import { behindAfter, type Check, isSettled, LastTold } from '../../../../services/loadtest/run/last-update.ts';
import { latencyText } from '../../../support/client-figures.ts';

const check = (afterS: number, behind: number, told: number[], behindSlow = 0): Check => ({
  afterS,
  clients: behind + told.length,
  behind,
  behindSlow,
  told: latencyText(...told),
});

describe('who was behind', () => {
  it('is added up over all processes', () => {
    const checks = [check(1, 2, [5]), check(1, 3, [5], 1), check(5, 1, [5, 5])];
    expect(behindAfter(checks, 1)).toEqual({ clients: 5, slow: 1 });
    expect(behindAfter(checks, 5)).toEqual({ clients: 1, slow: 0 });
  });

  it('is nobody later on, once nobody was', () => {
    expect(behindAfter([check(1, 0, [5])], 30)).toEqual({ clients: 0, slow: 0 });
  });

  it('is not known where the test ended before', () => {
    expect(behindAfter([check(1, 2, [5])], 30)).toEqual({ clients: undefined, slow: undefined });
    expect(behindAfter([check(1, 0, [5], 1)], 30)).toEqual({ clients: undefined, slow: undefined });
    expect(behindAfter([], 1)).toEqual({ clients: undefined, slow: undefined });
  });
});

describe('how long it is looked who is behind', () => {
  it.each<[string, Check[], boolean]>([
    ['until nobody is', [check(1, 2, []), check(5, 0, [5])], true],
    ['not less long while some are', [check(1, 2, []), check(5, 2, [])], false],
    ['longer, as long as some are still told', [check(5, 9, []), check(30, 2, []), check(30, 1, [])], false],
    ['no longer where nobody is told any more', [check(5, 9, []), check(30, 5, []), check(30, 4, [])], true],
    ['no longer where slow ones stay behind', [check(5, 0, [], 3), check(30, 0, [], 3)], true],
  ])('is %s', (_, checks, settled) => {
    expect(isSettled(checks)).toBe(settled);
  });
});

describe('who was told of the last update', () => {
  it('is a share of all clients, not only of those that were told', () => {
    const last = new LastTold([check(1, 50, new Array(50).fill(10)), check(1, 0, new Array(100).fill(30))]);
    expect(last.within(0.2)).toBeCloseTo(10, 0);
    expect(last.within(0.5)).toBeCloseTo(30, 0);
    expect(last.within(0.75)).toBeCloseTo(30, 0);
    expect(last.within(0.76)).toBeUndefined();
    expect(last.curve.at(-1)?.[0]).toBeCloseTo(0.75, 2);
  });

  it('is looked at the last time that anybody looked', () => {
    expect(new LastTold([check(1, 1, [10]), check(5, 0, [10, 4000])]).within(1)).toBeCloseTo(4000, -1);
  });

  it('is nobody where nobody was told, or looked', () => {
    for (const checks of [[], [check(30, 5, [])]]) {
      expect(new LastTold(checks).within(0.5)).toBeUndefined();
      expect(new LastTold(checks).curve).toEqual([]);
    }
  });
});
