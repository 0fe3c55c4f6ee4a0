import type { Html } from '../../../shared/http/html.ts';
import { compact, duration, tickDuration, whole, wholePercent } from '../format.ts';
import type { Report } from '../report.ts';
import { type Axis, linearAxis, timeAxis } from './axis.ts';
import { downsample, type Span } from './downsample.ts';
import { msAxis } from './latency-plot.ts';
import { type Place, type Plot, type PlotLine, renderPlot } from './plot-html.ts';

const MAX_SPANS = 150;

type Pick = (span: Span) => number | undefined;

interface Drawn extends Omit<PlotLine, 'parts'> {
  readonly pick: Pick;
}

/** Renders the course of the test over time. */
export function seriesPlots(report: Report): readonly Html[] {
  const spans = downsample(report.series, MAX_SPANS);
  const lastS = spans.at(-1)?.atS ?? 0;
  if (spans.length < 2 || lastS === 0) return [];
  const x = timeAxis(lastS, (seconds) => tickDuration(seconds * 1000));
  const draw = (plot: { title: string; y: Axis; show: (value: number) => string; lines: readonly Drawn[] }) =>
    renderPlot(seriesPlot({ ...plot, spans, x, phases: report.phases }));
  const one = (title: string, pick: Pick, show: (value: number) => string, y: (max: number) => Axis) =>
    draw({ title, y: y(largest(spans, pick)), show, lines: [{ name: title, hue: 'first', pick, isFilled: true }] });
  const number = (max: number) => linearAxis(max, compact);
  const latencies = spans.flatMap(({ p50, p99, max }) => [p50, p99, max].filter((ms) => ms !== undefined));
  return [
    one('Connected clients', ({ open }) => open, whole, number),
    one('Handshakes per second', ({ handshakes }) => handshakes, whole, number),
    ...(report.deliveries.total === 0
      ? []
      : [one('Deliveries per second', ({ deliveries }) => deliveries, whole, number)]),
    ...(spans.some(({ cpu }) => cpu !== undefined)
      ? [
          one(
            'CPU of this machine',
            ({ cpu }) => cpu,
            wholePercent,
            () => linearAxis(1, wholePercent),
          ),
        ]
      : []),
    ...(latencies.length === 0
      ? []
      : [
          draw({
            title: 'Latency',
            y: msAxis(latencies, report.latency?.p50 ?? 1),
            show: duration,
            lines: [
              { name: 'p50', hue: 'first', pick: ({ p50 }) => p50 },
              { name: 'p99', hue: 'second', pick: ({ p99 }) => p99 },
              { name: 'max', hue: 'third', pick: ({ max }) => max },
            ],
          }),
        ]),
  ];
}

function largest(spans: readonly Span[], pick: Pick): number {
  return Math.max(0, ...spans.map((span) => pick(span) ?? 0));
}

function seriesPlot(deps: {
  title: string;
  spans: readonly Span[];
  x: Axis;
  y: Axis;
  show: (value: number) => string;
  lines: readonly Drawn[];
  phases: Report['phases'];
}): Plot {
  const { title, spans, x, y, show, lines, phases } = deps;
  const summary = lines.map(({ name, pick }) => `${name} up to ${show(largest(spans, pick))}`).join(', ');
  return {
    title,
    description: `${title} over ${duration((spans.at(-1)?.atS ?? 0) * 1000)}: ${summary}`,
    x,
    y,
    lines: lines.map(({ name, hue, pick, isFilled = false }) => ({
      name,
      hue,
      isFilled,
      parts: partsOf(spans, pick, { x, y }),
    })),
    slots: spans.map((span) => ({
      from: x.position(span.atS - span.seconds),
      to: x.position(span.atS),
      title: `${whole(span.atS)} s`,
      rows: lines.flatMap(({ name, pick }) => {
        const value = pick(span);
        return value === undefined ? [] : [lines.length === 1 ? show(value) : `${name} ${show(value)}`];
      }),
    })),
    bands: phases.map(({ name, fromS, toS }) => ({ name, from: x.position(fromS), to: x.position(toS) })),
  };
}

/** Returns the segments of a line, interrupted where values are missing. */
function partsOf(spans: readonly Span[], pick: Pick, { x, y }: { x: Axis; y: Axis }): readonly (readonly Place[])[] {
  const parts: Place[][] = [[]];
  for (const span of spans) {
    const value = pick(span);
    if (value === undefined) parts.push([]);
    else parts.at(-1)?.push([x.position(span.atS), y.position(value)]);
  }
  return parts;
}
