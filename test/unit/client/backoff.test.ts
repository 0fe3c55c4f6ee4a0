import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../services/client/backoff.ts';

describe('a backoff', () => {
  it('doubles the bound of its delays up to the cap, and starts again with the first after a reset', () => {
    const backoff = new Backoff({ firstMs: 1000, capMs: 5000, random: () => 0.999 });
    expect([1, 2, 3, 4, 5].map(() => Math.round(backoff.nextMs()))).toEqual([999, 1998, 3996, 4995, 4995]);
    backoff.reset();
    expect(Math.round(backoff.nextMs())).toBe(999);
  });

  it('chooses delays from the whole range', () => {
    const randoms = [0, 0.5];
    const backoff = new Backoff({ firstMs: 1000, random: () => randoms.shift() ?? 0 });
    expect([backoff.nextMs(), backoff.nextMs()]).toEqual([0, 1000]);
  });

  it('skips the first delays if the caller counts earlier tries', () => {
    const backoff = new Backoff({ firstMs: 1000, random: () => 0.5 });
    expect([backoff.nextMs(3), backoff.nextMs(3), backoff.nextMs()]).toEqual([4000, 8000, 15_000]);
  });

  it('never exceeds its cap', () => {
    const backoff = new Backoff({ capMs: 30_000, random: () => 0.5 });
    for (let i = 0; i < 2000; i += 1) expect(backoff.nextMs()).toBeLessThanOrEqual(15_000);
  });
});
