import type { Point } from '../report.ts';

/** Consecutive seconds of a test, aggregated. */
export interface Span extends Point {
  readonly seconds: number;
}

/**
 * Aggregates seconds into at most `max` spans of equal length. Rates are averaged; percentiles are those of the worst
 * second, because averages of percentiles are meaningless.
 */
export function downsample(series: readonly Point[], max: number): readonly Span[] {
  const seconds = Math.max(1, Math.ceil(series.length / max));
  const spans: Span[] = [];
  for (let i = 0; i < series.length; i += seconds) spans.push(merge(series.slice(i, i + seconds)));
  return spans;
}

function merge(points: readonly Point[]): Span {
  const last = points.at(-1) as Point;
  const mean = (pick: (point: Point) => number) => points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const worst = (pick: (point: Point) => number | undefined) => {
    const values = points.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  return {
    atS: last.atS,
    seconds: points.length,
    open: last.open,
    handshakes: mean((point) => point.handshakes),
    deliveries: mean((point) => point.deliveries),
    p50: worst((point) => point.p50),
    p99: worst((point) => point.p99),
    max: worst((point) => point.max),
    cpu: points.some(({ cpu }) => cpu === undefined) ? undefined : mean(({ cpu = 0 }) => cpu),
  };
}
