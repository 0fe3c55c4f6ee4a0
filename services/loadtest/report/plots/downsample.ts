import type { Point } from '../report.ts';

/** Some seconds of a test, as one. */
export interface Span extends Point {
  readonly seconds: number;
}

/**
 * At most so many spans in the place of seconds, each as long as the others. Rates are those of the whole span, and
 * percentiles those of its worst second, since percentiles have no mean.
 */
export function thinSeries(series: readonly Point[], most: number): readonly Span[] {
  const seconds = Math.max(1, Math.ceil(series.length / most));
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
