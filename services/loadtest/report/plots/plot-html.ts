import { type Html, html } from '../../../shared/http/html.ts';
import type { Axis, Tick } from './axis.ts';

/** A place within a plot: from 0 to 1 to the right, and from 0 to 1 upwards. */
export type Place = readonly [x: number, y: number];

/** A line of a plot. */
export interface PlotLine {
  readonly name: string;
  /** Which of the colours. */
  readonly hue: 'first' | 'second' | 'third';
  /** Parts of it, with gaps between them. */
  readonly parts: readonly (readonly Place[])[];
  readonly isFilled?: boolean;
}

/** A part of the way to the right that has a name. */
export interface Band {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

/** Where a pointer rests, and what is shown then. */
export interface Slot {
  readonly from: number;
  readonly to: number;
  readonly title: string;
  readonly rows: readonly string[];
}

/** What a plot shows. */
export interface Plot {
  readonly title: string;
  /** What one should see in it, for those who do not see it. */
  readonly words: string;
  readonly note?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly PlotLine[];
  readonly slots?: readonly Slot[];
  readonly bands?: readonly Band[];
}

/** Shapes are drawn on a square of this size, which is stretched; what is to be read is not. */
const SIZE = 1000;

/** What a number on the axis to the right needs, as a part of it. */
const GAP = 0.09;
const PHONE_GAP = 0.25;

const percent = (share: number): string => `${Number((share * 100).toFixed(2))}%`;
const x = (share: number): number => Number((share * SIZE).toFixed(1));
const y = (share: number): number => Number(((1 - share) * SIZE).toFixed(1));

/** Renders a plot that needs no script: text is HTML, shapes are SVG, and what a pointer shows is done by CSS. */
export function renderPlot(plot: Plot): Html {
  const { lines, bands = [], slots = [] } = plot;
  return html`<figure class="plot">
<figcaption><h3>${plot.title}</h3>${lines.length > 1 ? renderLegend(lines) : ''}</figcaption>
<div class="frame${bands.length === 0 ? '' : ' banded'}">
${bands.length === 0 ? '' : html`<div class="bands" aria-hidden="true">${bands.flatMap(renderBand)}</div>`}
<div class="ys" aria-hidden="true">${plot.y.ticks.map(({ at, label }) => html`<span style="bottom:${percent(at)}">${label}</span>`)}</div>
<div class="area">
<svg viewBox="0 0 ${SIZE} ${SIZE}" preserveAspectRatio="none" role="img" aria-label="${plot.words}">
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
      // A lone point would not be seen.
      const places = part.length === 1 ? [...part, [firstX + 1 / SIZE, part[0]?.[1] ?? 0] as const] : part;
      const path = places.map(([atX, atY], i) => `${i === 0 ? 'M' : 'L'}${x(atX)} ${y(atY)}`).join('');
      const line = html`<path class="line ${hue}${part.length === 1 ? ' dot' : ''}" d="${path}"/>`;
      return isFilled
        ? [html`<path class="fill ${hue}" d="${path}L${x(lastX)} ${SIZE}L${x(firstX)} ${SIZE}Z"/>`, line]
        : [line];
    });
}

/** A band with its name, which may go on until the next one begins. */
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

/** Those that would be written over others are left out, on a phone more of them; the outermost stay within the plot. */
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
