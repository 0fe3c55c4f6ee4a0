import type { Html } from '../../../shared/http/html.ts';
import { duration, percent, tickDuration, wholePercent } from '../format.ts';
import type { Report } from '../report.ts';
import { linearAxis, timeAxis } from './axis.ts';
import { type Place, renderPlot, type Slot } from './plot-html.ts';

/** How many clients had the last update of their topics after how long. */
export function toldPlot({ toldCurve, told }: Report): readonly Html[] {
  const last = toldCurve.at(-1);
  if (!last) return [];
  const x = timeAxis(last[1], tickDuration);
  const y = linearAxis(1, wholePercent);
  const places: readonly Place[] = toldCurve.map(([share, ms]) => [x.position(ms), y.position(share)]);
  const missing = last[0] < 1 ? `; ${percent(1 - last[0])} never were` : '';
  const within = (ms: number | undefined) => (ms === undefined ? 'never' : `within ${duration(ms)}`);
  return [
    renderPlot({
      title: 'Who had the last update, and when',
      words: `Share of the clients that had the last update of their topics: half ${within(told.p50)}, 99 % ${within(told.p99)}, all ${within(told.p100)}`,
      note: `Clients that were told of the last update of each of their topics, against the time since it was due${missing}.`,
      x,
      y,
      lines: [{ name: 'told', hue: 'first', parts: [[[0, 0], ...places]], isFilled: true }],
      slots: slotsOf(places, toldCurve),
    }),
  ];
}

function slotsOf(places: readonly Place[], curve: Report['toldCurve']): readonly Slot[] {
  return places.flatMap(([at], i) => {
    const [share, ms] = curve[i] ?? [0, 0];
    const from = places[i - 1]?.[0] ?? 0;
    return at > from ? [{ from, to: at, title: percent(share), rows: [`within ${duration(ms)}`] }] : [];
  });
}
