import { describe, expect, it } from 'vitest';
import { behindAfter, type Check, isFinal, LastUpdateLatency } from '../../../../services/loadtest/run/last-update.ts';
import { latencyText } from '../../../support/client-figures.ts';

const check = (afterS: number, behind: number, latencies: number[], behindSlow = 0): Check => ({
  afterS,
  clients: behind + latencies.length,
  behind,
  behindSlow,
  notified: latencyText(...latencies),
  current: [],
});

describe('clients behind', () => {
  it('are added up over all processes', () => {
    const checks = [check(1, 2, [5]), check(1, 3, [5], 1), check(5, 1, [5, 5])];
    expect(behindAfter(checks, 1)).toEqual({ clients: 5, slow: 1 });
    expect(behindAfter(checks, 5)).toEqual({ clients: 1, slow: 0 });
  });

  it('stay at 0 once no client is behind', () => {
    expect(behindAfter([check(1, 0, [5])], 30)).toEqual({ clients: 0, slow: 0 });
  });

  it('are unknown if the test ended before the check', () => {
    expect(behindAfter([check(1, 2, [5])], 30)).toEqual({ clients: undefined, slow: undefined });
    expect(behindAfter([check(1, 0, [5], 1)], 30)).toEqual({ clients: undefined, slow: undefined });
    expect(behindAfter([], 1)).toEqual({ clients: undefined, slow: undefined });
  });
});

describe('the last check', () => {
  it.each<[string, Check[], boolean]>([
    ['is final if no client is behind', [check(1, 2, []), check(5, 0, [5])], true],
    ['is not final while some are behind', [check(1, 2, []), check(5, 2, [])], false],
    ['is not final while clients catch up', [check(5, 9, []), check(30, 2, []), check(30, 1, [])], false],
    ['is final if no client caught up', [check(5, 9, []), check(30, 5, []), check(30, 4, [])], true],
    ['is final if only slow readers stay behind', [check(5, 0, [], 3), check(30, 0, [], 3)], true],
  ])('%s', (_, checks, expected) => {
    expect(isFinal(checks)).toBe(expected);
  });
});

describe('the latency of the last update', () => {
  it('is a distribution over all clients, including those behind', () => {
    const last = new LastUpdateLatency([check(1, 50, new Array(50).fill(10)), check(1, 0, new Array(100).fill(30))]);
    expect(last.within(0.2)).toBeCloseTo(10, 0);
    expect(last.within(0.5)).toBeCloseTo(30, 0);
    expect(last.within(0.75)).toBeCloseTo(30, 0);
    expect(last.within(0.76)).toBeUndefined();
    expect(last.curve.at(-1)?.[0]).toBeCloseTo(0.75, 2);
  });

  it('is taken from the last check', () => {
    expect(new LastUpdateLatency([check(1, 1, [10]), check(5, 0, [10, 4000])]).within(1)).toBeCloseTo(4000, -1);
  });

  it('is unknown without notified clients or checks', () => {
    for (const checks of [[], [check(30, 5, [])]]) {
      expect(new LastUpdateLatency(checks).within(0.5)).toBeUndefined();
      expect(new LastUpdateLatency(checks).curve).toEqual([]);
    }
  });
});
