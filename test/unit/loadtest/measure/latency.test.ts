import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Latency } from '../../../../services/loadtest/measure/latency.ts';

function of(...values: number[]): Latency {
  const latency = new Latency();
  for (const ms of values) latency.record(ms);
  return latency;
}

describe('latencies', () => {
  it('of several processes merge into the same as if one process had measured them', () => {
    const values = fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 5 }), (processes) => {
        const merged = new Latency();
        for (const own of processes) merged.add(of(...own).take());
        const together = of(...processes.flat());
        const { max: mergedMax = 0, ...quantiles } = merged.summary() ?? {};
        const { max = 0, ...expected } = together.summary() ?? {};
        expect(quantiles).toEqual(expected);
        expect(Math.abs(mergedMax - max)).toBeLessThanOrEqual(max / 1000);
        expect(merged.curve().slice(0, -1)).toEqual(together.curve().slice(0, -1));
      }),
      { numRuns: 50 },
    );
  });

  it('are never averaged: one slow process among ten stays visible', () => {
    const merged = new Latency();
    for (let i = 0; i < 10; i += 1) merged.add(of(...new Array(100).fill(i === 0 ? 1000 : 1)).take());
    expect(merged.summary()).toMatchObject({ count: 1000, p50: expect.closeTo(1, 1) });
    expect(merged.quantile(0.95)).toBeGreaterThan(990);
  });

  it('are accurate to a thousandth, from microseconds to an hour', () => {
    for (const ms of [0.001, 0.5, 17.3, 1234.5, 3_599_000]) {
      expect(Math.abs(of(ms).quantile(0.5) - ms) / ms).toBeLessThan(0.001);
    }
    expect(of(4_000_000).maxMs).toBeGreaterThan(3_590_000);
  });

  it('are zero if clocks differ slightly', () => {
    expect(of(-0.4).maxMs).toBe(0);
  });

  it('are taken only once', () => {
    const latency = of(5);
    expect(latency.take()).toBeDefined();
    expect(latency.take()).toBeUndefined();
    expect(latency.summary()).toBeUndefined();
    latency.add(undefined);
    expect(latency.curve()).toEqual([]);
  });

  it('have a curve that rises from minimum to maximum', () => {
    const curve = of(...Array.from({ length: 1000 }, (_, i) => i + 1)).curve();
    expect(curve[0]?.[0]).toBe(0);
    expect(curve.at(-1)).toEqual([1, expect.closeTo(1000, -1)]);
    for (const [i, [share, ms]] of curve.entries()) {
      expect(share).toBeGreaterThanOrEqual(curve[i - 1]?.[0] ?? 0);
      expect(ms).toBeGreaterThanOrEqual(curve[i - 1]?.[1] ?? 0);
    }
  });
});
