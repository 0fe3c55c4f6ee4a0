import { describe, expect, it } from 'vitest';
import { Slowest } from '../../../services/stats/recorder/slowest.ts';

describe('the slowest calls', () => {
  it('are at most five of a kind within a window, after the first five', () => {
    let nowMs = 0;
    const slowest = new Slowest({ monotonicMs: () => nowMs });
    const first = [1, 2, 3, 4, 5].map((ms) => slowest.take('a', ms));
    expect(first).toEqual([true, true, true, true, true]);
    expect(slowest.take('a', 1)).toBe(false);
    expect(slowest.take('a', 6)).toBe(true);
    expect(slowest.take('a', 2)).toBe(false);
    expect(slowest.take('b', 0.1)).toBe(true); // another kind
    nowMs = 10_001;
    expect(slowest.take('a', 0.1)).toBe(true);
  });

  it('are limited when each is slower than the one before', () => {
    const slowest = new Slowest({ monotonicMs: () => 0 });
    const taken = Array.from({ length: 1000 }, (_, ms) => slowest.take('a', ms)).filter(Boolean);
    expect(taken).toHaveLength(15);
  });

  it('take bounded memory, whatever their kinds', () => {
    let nowMs = 0;
    const slowest = new Slowest({ monotonicMs: () => nowMs });
    const taken = Array.from({ length: 1000 }, (_, n) => slowest.take(`kind ${n}`, 1)).filter(Boolean);
    expect(taken).toHaveLength(100);
    nowMs = 10_001;
    expect(slowest.take('another kind', 1)).toBe(true);
  });
});
