import { type Html, html } from '../../../shared/http/html.ts';
import type { Axis, Tick } from './axis.ts';

/** A point in a plot; both coordinates are from 0 to 1, upwards and to the right. */
export type Place = readonly [x: number, y: number];

/** A line of a plot. */
export interface PlotLine {
  readonly name: string;
  /** The colour. */
  readonly hue: 'first' | 'second' | 'third';
  /** Segments with gaps between them. */
  readonly parts: readonly (readonly Place[])[];
  readonly isFilled?: boolean;
}

/** A labelled range of the x axis. */
export interface Band {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

/** A range of the x axis and the tooltip shown when the pointer is over it. */
export interface Slot {
  readonly from: number;
  readonly to: number;
  readonly title: string;
  readonly rows: readonly string[];
}

/** The content of a plot. */
export interface Plot {
  readonly title: string;
  /** Text alternative for screen readers. */
  readonly description: string;
  readonly note?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly PlotLine[];
  readonly slots?: readonly Slot[];
  readonly bands?: readonly Band[];
}

/** Side of the square in which shapes are drawn; it is stretched, text is not. */
const SIZE = 1000;

/** Minimum distance of two labels on the x axis, as a share of its length. */
const GAP = 0.09;
const PHONE_GAP = 0.25;

const percent = (share: number): string => `${Number((share * 100).toFixed(2))}%`;
const x = (share: number): number => Number((share * SIZE).toFixed(1));
const y = (share: number): number => Number(((1 - share) * SIZE).toFixed(1));

/** Renders a plot without script: text as HTML, shapes as SVG, tooltips by CSS. */
export function renderPlot(plot: Plot): Html {
  const { lines, bands = [], slots = [] } = plot;
  return html`<figure class="plot">
<figcaption><h3>${plot.title}</h3>${lines.length > 1 ? renderLegend(lines) : ''}</figcaption>
<div class="frame${bands.length === 0 ? '' : ' banded'}">
${bands.length === 0 ? '' : html`<div class="bands" aria-hidden="true">${bands.flatMap(renderBand)}</div>`}
<div class="ys" aria-hidden="true">${plot.y.ticks.map(({ at, label }) => html`<span style="bottom:${percent(at)}">${label}</span>`)}</div>
<div class="area">
<svg viewBox="0 0 ${SIZE} ${SIZE}" preserveAspectRatio="none" role="img" aria-label="${plot.description}">
${plot.y.ticks.map(({ at }) => html`<path class="grid" d="M0 ${y(at)}H${SIZE}"/>`)}
${lines.flatMap(renderLine)}
</svg>
${slots.map(renderSlot)}
</div>
<div class="xs" aria-hidden="true">${renderXTicks(plot.x.ticks)}</div>
</div>
${plot.note === undefined ? '' : html`<p class="note">${plot.note}</p>`}
</figure>
`;
}

function renderLegend(lines: readonly PlotLine[]): Html {
  return html`<p class="legend">${lines.map(({ name, hue }) => html`<span class="${hue}">${name}</span>`)}</p>`;
}

function renderLine({ parts, hue, isFilled = false }: PlotLine): readonly Html[] {
  return parts
    .filter((part) => part.length > 0)
    .flatMap((part) => {
      const [[firstX] = [0], [lastX] = [0]] = [part[0], part.at(-1)];
      // A single point needs some length to be visible.
      const places = part.length === 1 ? [...part, [firstX + 1 / SIZE, part[0]?.[1] ?? 0] as const] : part;
      const path = places.map(([atX, atY], i) => `${i === 0 ? 'M' : 'L'}${x(atX)} ${y(atY)}`).join('');
      const line = html`<path class="line ${hue}${part.length === 1 ? ' dot' : ''}" d="${path}"/>`;
      return isFilled
        ? [html`<path class="fill ${hue}" d="${path}L${x(lastX)} ${SIZE}L${x(firstX)} ${SIZE}Z"/>`, line]
        : [line];
    });
}

/** Renders a band; its name may extend to the start of the next one. */
function renderBand({ from, to, name }: Band, i: number, bands: readonly Band[]): readonly Html[] {
  const next = bands[i + 1]?.from ?? 1;
  return [
    html`<span class="band" style="left:${percent(from)};width:${percent(to - from)}"></span>`,
    html`<span class="name" style="left:${percent(from)};width:${percent(next - from)}">${name}</span>`,
  ];
}

function renderSlot({ from, to, title, rows }: Slot): Html {
  const side = (from + to) / 2 > 0.5 ? 'before' : 'after';
  return html`<div class="slot" style="left:${percent(from)};width:${percent(to - from)}"><p class="tip ${side}"><b>${title}</b>${rows.map((row) => html`<span>${row}</span>`)}</p></div>`;
}

/** Omits labels that would overlap, more of them on narrow screens; keeps the outermost within the plot. */
function renderXTicks(ticks: readonly Tick[]): readonly Html[] {
  const few = thinTicks(ticks, PHONE_GAP);
  return thinTicks(ticks, GAP).map((tick) => {
    const { at, label } = tick;
    const align = at < 0.03 ? 'start' : at > 0.97 ? 'end' : 'middle';
    return html`<span class="${align}${few.includes(tick) ? '' : ' spare'}" style="left:${percent(at)}">${label}</span>`;
  });
}

function thinTicks(ticks: readonly Tick[], gap: number): readonly Tick[] {
  let last = -1;
  return ticks.filter(({ at }) => {
    if (at - last < gap) return false;
    last = at;
    return true;
  });
}
