import type { Html } from '../../../shared/http/html.ts';
import { duration, tickDuration, whole } from '../format.ts';
import type { Curve, Report } from '../report.ts';
import { type Axis, linearAxis, logAxis, percentileAxis } from './axis.ts';
import { type PlotLine, renderPlot, type Slot } from './plot-html.ts';

/** From this ratio of the maximum to the usual value on, only a logarithmic axis shows both. */
const LOG_FROM = 40;

/** Renders the latency of deliveries by percentile. */
export function latencyPlot({ latency, slowLatency, latencyCurve, slowLatencyCurve }: Report): readonly Html[] {
  if (!latency) return [];
  const curves: readonly (readonly [name: string, hue: PlotLine['hue'], curve: Curve])[] = [
    ['latency', 'first', latencyCurve],
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
      title: 'Latency by percentile',
      description: `Latency of ${whole(latency.count)} deliveries by percentile: 50 % within ${duration(latency.p50)}, 99 % within ${duration(latency.p99)}, 100 % within ${duration(latency.max)}`,
      note: 'From the due time of an update until a client received it. Each further nine of the percentile is equally wide, so that the slowest deliveries stay visible.',
      x,
      y,
      lines,
      slots: slotsOf(latencyCurve, x),
    }),
  ];
}

/** Creates an axis for latencies: logarithmic if the maximum is far above the usual value. */
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
