import { describe, expect, it } from 'vitest';
import { ClockSkew } from '../../../services/stats/recorder/clock-skew.ts';
import { EpochClock } from '../../../services/stats/recorder/epoch-clock.ts';
import { eventually } from '../../support/eventually.ts';

describe('the clock skew', () => {
  it('is unknown before the first sample', () => {
    expect(new ClockSkew().estimate).toEqual({ skewUs: null, uncertainUs: 0 });
  });

  it('is that of the recent sample with the shortest round trip', () => {
    const skew = new ClockSkew();
    skew.addSample(10_000 + 450, 10_000, 10_200);
    expect(skew.estimate).toEqual({ skewUs: 350, uncertainUs: 100 });
    skew.addSample(20_000 + 310, 20_000, 20_020); // shorter round trip
    expect(skew.estimate).toEqual({ skewUs: 300, uncertainUs: 10 });
    skew.addSample(30_000 + 9000, 30_000, 39_000); // long round trip: uncertain
    expect(skew.estimate).toEqual({ skewUs: 300, uncertainUs: 10 });
    for (let n = 0; n < 20; n += 1) skew.addSample(50_000 + 550, 50_000, 50_100);
    expect(skew.estimate).toEqual({ skewUs: 500, uncertainUs: 50 });
  });

  it('ignores a sample during which the local clock was set back', () => {
    const skew = new ClockSkew();
    skew.addSample(10_000, 10_000, 9000);
    expect(skew.estimate.skewUs).toBeNull();
  });
});

describe('the clock of spans', () => {
  it('is the time of day with fractions of milliseconds, and never goes back', async () => {
    // A busy machine may stop the process between the two readings of which the clock is made.
    await eventually(() => {
      const clock = new EpochClock();
      const before = Date.now();
      const times = Array.from({ length: 1000 }, () => clock.nowMs());
      expect(times[0]).toBeGreaterThan(before - 50);
      expect(times[0]).toBeLessThan(Date.now() + 50);
      expect(times.every((time, i) => i === 0 || time >= (times[i - 1] ?? 0))).toBe(true);
      expect(new Set(times.map((time) => time % 1)).size).toBeGreaterThan(10);
      const now = Date.now();
      const at = clock.at(performance.now());
      expect(at).toBeGreaterThan(now - 50);
      expect(at).toBeLessThan(Date.now() + 50);
    });
  });
});
