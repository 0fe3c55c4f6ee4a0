import { type Html, html } from '../../shared/http/html.ts';
import type { AttributeValue } from '../store/records.ts';
import { axisTicks, type Timeline, type TimelineLane, type TimelineRow } from '../view/timeline.ts';
import { formatCount, formatRoundUs, formatSkew, formatUs, percent, timeElement } from './format.ts';
import { renderLayout, renderMenu, serviceClass } from './layout.ts';

/** Renders a trace as a waterfall of the work in all processes, on one clock. */
export function renderTracePage(timeline: Timeline): string {
  const { id, name, service, topic, wholeUs, error, refused } = timeline;
  const ticks = axisTicks(wholeUs);
  const body = html`<p class="crumbs"><a href="/stats">All traces</a></p>
<h1><span class="swatch ${serviceClass(service)}"></span><span class="service">${service}</span> <bdi>${name}</bdi>${topic === '' ? html`` : html` <bdi class="topic">${topic}</bdi>`}</h1>
${error === '' ? html`` : html`<p class="alert"><strong>Failed:</strong> <bdi>${error}</bdi></p>`}
${refused === '' ? html`` : html`<p class="alert refusal"><strong>Refused:</strong> <bdi>${refused}</bdi></p>`}
${renderFacts(timeline)}
<section class="waterfall" aria-labelledby="timeline">
<div class="ruler"><h2 id="timeline">Timeline</h2>${renderAxis(ticks, wholeUs)}</div>
<p class="hidden" id="keys">Each row opens to show its details. Arrow keys move between rows.</p>
<ol class="lanes" aria-describedby="keys">
${timeline.lanes.map((lane) => renderLane(lane, ticks, wholeUs))}</ol>
</section>
<p class="faint">All times are on the store's clock. The clock of each process is corrected by the skew shown, which is measured by its calls to the store. Point at a bar for details, or open its row.</p>`;
  const head = renderMenu([{ href: `/stats/traces/${id}?format=json`, text: 'JSON' }]);
  return renderLayout({ title: `${name} · Heliograph`, head, body });
}

function renderFacts({ id, startUs, durationUs, toldUs, relays, clients, spans }: Timeline): Html {
  const fact = (name: string, value: Html) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`;
  return html`<dl class="facts">
${[
  fact('Started', timeElement(startUs)),
  fact('Answered after', html`<strong>${formatUs(durationUs)}</strong>`),
  fact(
    'All notified after',
    toldUs === null ? html`<span class="faint">no client notified</span>` : html`<strong>${formatUs(toldUs)}</strong>`,
  ),
  fact('Relays', html`${formatCount(relays)}`),
  fact('Clients', html`${formatCount(clients)}`),
  fact('Spans', html`${formatCount(spans)}`),
  fact('Trace id', html`<code>${id}</code>`),
]}</dl>`;
}

function renderAxis(ticks: readonly number[], wholeUs: number): Html {
  const labels = ticks.map((tick) => {
    const part = wholeUs > 0 ? tick / wholeUs : 0;
    const anchor = part < 0.05 ? 'start' : part > 0.93 ? 'end' : 'middle';
    return html`<text x="${percent(tick, wholeUs)}" y="13" text-anchor="${anchor}">${tick === 0 ? '0' : formatRoundUs(tick)}</text>`;
  });
  return html`<svg class="axis" height="18" aria-hidden="true">${labels}</svg>`;
}

function renderLane(lane: TimelineLane, ticks: readonly number[], wholeUs: number): Html {
  const { service, where, process, skewUs, uncertainUs, rows } = lane;
  return html`<li class="lane">
<p class="owner"><span class="swatch ${serviceClass(service)}"></span><strong>${service}</strong> <bdi class="faint">${where === '' ? process : where}</bdi> <span class="faint skew">clock ${formatSkew(skewUs, uncertainUs)}</span></p>
<ol>
${rows.map((row) => renderRow(row, { laneClass: serviceClass(service), ticks, wholeUs }))}</ol>
</li>
`;
}

function renderRow(row: TimelineRow, lane: { laneClass: string; ticks: readonly number[]; wholeUs: number }): Html {
  const { name, depth, afterUs, durationUs, error, attributes } = row;
  const { ticks, wholeUs } = lane;
  const grid = ticks.map(
    (tick) => html`<line x1="${percent(tick, wholeUs)}" x2="${percent(tick, wholeUs)}" y1="0" y2="100%"/>`,
  );
  const times = html`after ${formatUs(Math.max(0, afterUs))}, for ${formatUs(durationUs)}`;
  return html`<li><details class="span">
<summary class="depth-${Math.min(depth, 5)} at-${Math.min(9, Math.floor((10 * Math.max(0, afterUs)) / Math.max(1, wholeUs)))}">
<span class="name"><bdi>${name}</bdi>${renderClients(attributes.clients)}${error === '' ? html`` : html` <span class="badge bad">failed: ${error}</span>`}</span>
<svg class="bar" aria-hidden="true">${grid}<rect class="${error === '' ? lane.laneClass : 'lane-failed'}" x="${percent(afterUs, wholeUs)}" y="50%" width="${percent(durationUs, wholeUs)}" height="12" rx="2"/></svg>
<span class="took">${formatUs(durationUs)}<span class="hidden">, started after ${formatUs(Math.max(0, afterUs))}</span></span>
<span class="tip" aria-hidden="true"><strong><bdi>${name}</bdi></strong> ${times}${Object.entries(attributes).slice(0, 6).map(renderTipLine)}</span>
</summary>
<dl class="attributes">
<div><dt>started after</dt><dd>${formatUs(Math.max(0, afterUs))}</dd></div>
<div><dt>took</dt><dd>${formatUs(durationUs)}</dd></div>
<div><dt>kind</dt><dd>${row.kind}</dd></div>
${Object.entries(attributes).map(renderAttribute)}<div><dt>span</dt><dd><code>${row.id}</code></dd></div>
</dl>
</details></li>
`;
}

function renderClients(clients: AttributeValue | undefined): Html {
  return typeof clients === 'number' ? html` <span class="faint">× ${formatCount(clients)}</span>` : html``;
}

function renderTipLine([name, value]: [string, AttributeValue]): Html {
  return html`<span><span class="faint">${name}</span> <bdi>${String(value)}</bdi></span>`;
}

function renderAttribute([name, value]: [string, AttributeValue]): Html {
  return html`<div><dt><bdi>${name}</bdi></dt><dd><bdi>${String(value)}</bdi></dd></div>\n`;
}
