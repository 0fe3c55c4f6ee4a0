import type { Html } from '../../../shared/http/html.ts';
import { duration, tickDuration, whole } from '../format.ts';
import type { Curve, Report } from '../report.ts';
import { type Axis, linearAxis, logAxis, percentileAxis } from './axis.ts';
import { type PlotLine, renderPlot, type Slot } from './plot-html.ts';

/** From here on the slowest are so much slower than the others that only powers of ten show both. */
const LOG_FROM = 40;

/** Latency against the share of the deliveries that stayed within it, with as much room for the last few as for most. */
export function latencyPlot({ latency, slowLatency, latencyCurve, slowLatencyCurve }: Report): readonly Html[] {
  if (!latency) return [];
  const curves: readonly (readonly [name: string, hue: PlotLine['hue'], curve: Curve])[] = [
    ['from due to told', 'first', latencyCurve],
    ...(slowLatency ? [['slow readers', 'second', slowLatencyCurve] as const] : []),
  ];
  const x = percentileAxis(Math.max(latency.count, slowLatency?.count ?? 0));
  const values = curves.flatMap(([, , curve]) => curve.map(([, ms]) => ms));
  const y = msAxis(values, latency.p50);
  const lines = curves.map(([name, hue, curve]) => ({
    name,
    hue,
    parts: [curve.map(([share, ms]) => [x.position(share), y.position(ms)] as const)],
  }));
  return [
    renderPlot({
      title: 'How late the deliveries were',
      words: `Latency of ${whole(latency.count)} deliveries by percentile: half within ${duration(latency.p50)}, 99 % within ${duration(latency.p99)}, all within ${duration(latency.max)}`,
      note: 'From when an update was due to be published until a client was told of it. To the right, each nine has as much room as the one before: the last few are what people complain of.',
      x,
      y,
      lines,
      slots: slotsOf(latencyCurve, x),
    }),
  ];
}

/** An axis for these milliseconds, of which `usual` is what most are like. */
export function msAxis(values: readonly number[], usual: number): Axis {
  const seen = values.filter((ms) => ms > 0);
  const max = Math.max(0, ...seen);
  return max > LOG_FROM * usual ? logAxis(Math.min(...seen), max, tickDuration) : linearAxis(max, tickDuration);
}

function slotsOf(curve: Curve, x: Axis): readonly Slot[] {
  const ends = curve.map(([share]) => x.position(share));
  return curve.map(([share, ms], i) => ({
    from: i === 0 ? 0 : ((ends[i - 1] ?? 0) + (ends[i] ?? 0)) / 2,
    to: i === curve.length - 1 ? 1 : ((ends[i] ?? 0) + (ends[i + 1] ?? 1)) / 2,
    title: share === 1 ? 'all' : `${Number((share * 100).toPrecision(share > 0.99 ? 6 : 3))} %`,
    rows: [`within ${duration(ms)}`],
  }));
}
