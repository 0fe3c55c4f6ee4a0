import type { Html } from '../../../shared/http/html.ts';
import { duration, percent, tickDuration, wholePercent } from '../format.ts';
import type { Report } from '../report.ts';
import { linearAxis, timeAxis } from './axis.ts';
import { type Place, renderPlot, type Slot } from './plot-html.ts';

/** Renders the share of the clients that had the last update of their topics, over time. */
export function lastUpdatePlot({ notifiedCurve, notified }: Report): readonly Html[] {
  const last = notifiedCurve.at(-1);
  if (!last) return [];
  const x = timeAxis(last[1], tickDuration);
  const y = linearAxis(1, wholePercent);
  const places: readonly Place[] = notifiedCurve.map(([share, ms]) => [x.position(ms), y.position(share)]);
  const missing = last[0] < 1 ? `; ${percent(1 - last[0])} never had it` : '';
  const within = (ms: number | undefined) => (ms === undefined ? 'never' : `within ${duration(ms)}`);
  return [
    renderPlot({
      title: 'Clients with the last update',
      description: `Share of the clients that had the last update of their topics: 50 % ${within(notified.p50)}, 99 % ${within(notified.p99)}, 100 % ${within(notified.p100)}`,
      note: `Share of the clients that had the last update of each of their topics, by time since it was due${missing}.`,
      x,
      y,
      lines: [{ name: 'up to date', hue: 'first', parts: [[[0, 0], ...places]], isFilled: true }],
      slots: slotsOf(places, notifiedCurve),
    }),
  ];
}

function slotsOf(places: readonly Place[], curve: Report['notifiedCurve']): readonly Slot[] {
  return places.flatMap(([at], i) => {
    const [share, ms] = curve[i] ?? [0, 0];
    const from = places[i - 1]?.[0] ?? 0;
    return at > from ? [{ from, to: at, title: percent(share), rows: [`within ${duration(ms)}`] }] : [];
  });
}
