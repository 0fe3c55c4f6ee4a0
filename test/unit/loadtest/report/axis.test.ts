import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Axis,
  linearAxis,
  logAxis,
  percentileAxis,
  timeAxis,
} from '../../../../services/loadtest/report/plots/axis.ts';
import { thinSeries } from '../../../../services/loadtest/report/plots/downsample.ts';
import { loadTestReport } from '../../../support/load-test-report.ts';

const labels = ({ ticks }: Axis) => ticks.map(({ label }) => label);

describe('an axis', () => {
  it('has few round numbers, and room for the largest', () => {
    expect(labels(linearAxis(2000, String))).toEqual(['0', '500', '1000', '1500', '2000']);
    expect(labels(linearAxis(0.37, (n) => n.toFixed(1)))).toEqual(['0.0', '0.1', '0.2', '0.3', '0.4']);
    expect(labels(linearAxis(0, String))).toEqual(['0', '0.5', '1']);
  });

  it('of time ends where the time ends', () => {
    const axis = timeAxis(33, String);
    expect(labels(axis)).toEqual(['0', '10', '20', '30']);
    expect(axis.position(33)).toBe(1);
  });

  it('of powers of ten goes from the one below to a round number above', () => {
    expect(labels(logAxis(3, 4200, String))).toEqual(['1', '10', '100', '1000', '5000']);
    expect(labels(logAxis(1, 1, String))).toEqual(['1', '2']);
  });

  it('of percentiles gives each nine the same room', () => {
    const axis = percentileAxis(100_000);
    expect(labels(axis)).toEqual(['0 %', '50 %', '90 %', '99 %', '99.9 %', '99.99 %', '99.999 %']);
    expect(labels(percentileAxis(1_000_000)).slice(-3)).toEqual(['99.9 %', '99.99 %', '99.9999 %']);
    expect(axis.position(0.999) - axis.position(0.99)).toBeCloseTo(axis.position(0.99) - axis.position(0.9));
    expect(axis.position(1)).toBe(1);
  });

  it('puts everything between its ends, in its order', () => {
    const positive = fc.double({ min: 1e-3, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        for (const axis of [linearAxis(high, String), timeAxis(high, String), logAxis(low, high, String)]) {
          const places = [axis.position(low), axis.position(high)] as const;
          expect(places[0]).toBeGreaterThanOrEqual(0);
          expect(places[1]).toBeLessThanOrEqual(1);
          expect(places[0]).toBeLessThanOrEqual(places[1]);
          expect(axis.ticks.length).toBeGreaterThan(1);
          expect(axis.ticks.length).toBeLessThan(15);
          for (const { at } of axis.ticks) expect(at >= 0 && at <= 1.000001).toBe(true);
        }
      }),
    );
  });
});

describe('the seconds of a long test', () => {
  const [second] = loadTestReport().series.slice(-1);
  if (!second) throw new Error('there is no second');
  const series = Array.from({ length: 10 }, (_, i) => ({
    ...second,
    atS: i + 1,
    open: i,
    deliveries: i * 10,
    p99: i === 4 ? 900 : 1,
  }));

  it('are put together, with the rates of all and the percentiles of the worst', () => {
    const spans = thinSeries(series, 4);
    expect(spans.map(({ atS, seconds }) => [atS, seconds])).toEqual([
      [3, 3],
      [6, 3],
      [9, 3],
      [10, 1],
    ]);
    expect(spans[1]).toMatchObject({ open: 5, deliveries: 40, p99: 900 });
  });

  it('stay as they are where there are few', () => {
    expect(thinSeries(series, 10)).toEqual(series.map((point) => ({ ...point, seconds: 1 })));
    expect(thinSeries([], 10)).toEqual([]);
  });

  it('have no percentile where nobody was told', () => {
    const quiet = series.map((point) => ({ ...point, p50: undefined, p99: undefined, max: undefined, cpu: undefined }));
    expect(thinSeries(quiet, 1)[0]).toMatchObject({ p50: undefined, p99: undefined, max: undefined, cpu: undefined });
  });
});
