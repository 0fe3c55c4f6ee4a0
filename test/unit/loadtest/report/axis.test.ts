import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Axis,
  linearAxis,
  logAxis,
  percentileAxis,
  timeAxis,
} from '../../../../services/loadtest/report/plots/axis.ts';
import { downsample } from '../../../../services/loadtest/report/plots/downsample.ts';
import { loadTestReport } from '../../../support/load-test-report.ts';

const labels = ({ ticks }: Axis) => ticks.map(({ label }) => label);

describe('an axis', () => {
  it('has few round ticks and includes the maximum', () => {
    expect(labels(linearAxis(2000, String))).toEqual(['0', '500', '1000', '1500', '2000']);
    expect(labels(linearAxis(0.37, (n) => n.toFixed(1)))).toEqual(['0.0', '0.1', '0.2', '0.3', '0.4']);
    expect(labels(linearAxis(0, String))).toEqual(['0', '0.5', '1']);
  });

  it('of time ends at its maximum', () => {
    const axis = timeAxis(33, String);
    expect(labels(axis)).toEqual(['0', '10', '20', '30']);
    expect(axis.position(33)).toBe(1);
  });

  it('with logarithmic scale starts at a power of ten and ends at a round number', () => {
    expect(labels(logAxis(3, 4200, String))).toEqual(['1', '10', '100', '1000', '5000']);
    expect(labels(logAxis(1, 1, String))).toEqual(['1', '2']);
  });

  it('of percentiles gives each nine the same width', () => {
    const axis = percentileAxis(100_000);
    expect(labels(axis)).toEqual(['0 %', '50 %', '90 %', '99 %', '99.9 %', '99.99 %', '99.999 %']);
    expect(labels(percentileAxis(1_000_000)).slice(-3)).toEqual(['99.9 %', '99.99 %', '99.9999 %']);
    expect(axis.position(0.999) - axis.position(0.99)).toBeCloseTo(axis.position(0.99) - axis.position(0.9));
    expect(axis.position(1)).toBe(1);
  });

  it('keeps values in order and within its ends', () => {
    const positive = fc.double({ min: 1e-3, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        for (const axis of [linearAxis(high, String), timeAxis(high, String), logAxis(low, high, String)]) {
          const positions = [axis.position(low), axis.position(high)] as const;
          expect(positions[0]).toBeGreaterThanOrEqual(0);
          expect(positions[1]).toBeLessThanOrEqual(1);
          expect(positions[0]).toBeLessThanOrEqual(positions[1]);
          expect(axis.ticks.length).toBeGreaterThan(1);
          expect(axis.ticks.length).toBeLessThan(15);
          for (const { at } of axis.ticks) expect(at >= 0 && at <= 1.000001).toBe(true);
        }
      }),
    );
  });
});

describe('a downsampled series', () => {
  const [second] = loadTestReport().series.slice(-1);
  if (!second) throw new Error('the series is empty');
  const series = Array.from({ length: 10 }, (_, i) => ({
    ...second,
    atS: i + 1,
    open: i,
    deliveries: i * 10,
    p99: i === 4 ? 900 : 1,
  }));

  it('has mean rates and the percentiles of the worst second', () => {
    const spans = downsample(series, 4);
    expect(spans.map(({ atS, seconds }) => [atS, seconds])).toEqual([
      [3, 3],
      [6, 3],
      [9, 3],
      [10, 1],
    ]);
    expect(spans[1]).toMatchObject({ open: 5, deliveries: 40, p99: 900 });
  });

  it('is unchanged if it is short', () => {
    expect(downsample(series, 10)).toEqual(series.map((point) => ({ ...point, seconds: 1 })));
    expect(downsample([], 10)).toEqual([]);
  });

  it('has no percentiles without deliveries', () => {
    const quiet = series.map((point) => ({ ...point, p50: undefined, p99: undefined, max: undefined, cpu: undefined }));
    expect(downsample(quiet, 1)[0]).toMatchObject({ p50: undefined, p99: undefined, max: undefined, cpu: undefined });
  });
});
