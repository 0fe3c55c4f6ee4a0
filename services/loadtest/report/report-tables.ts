import { type Html, html } from '../../shared/http/html.ts';
import type { LatencySummary } from '../measure/latency.ts';
import { duration, whole, wholePercent } from './format.ts';
import { downsample } from './plots/downsample.ts';
import type { Report } from './report.ts';
import { latencyRows, reportSections, type Section } from './report-sections.ts';

const QUANTILES = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const satisfies readonly (keyof LatencySummary)[];
const MAX_ROWS = 600;

/** Renders the sections of the report, the settings and the plan. */
export function rowTables(report: Report): readonly Html[] {
  const settings: Section = { title: 'Settings', rows: Object.entries(report.settings) };
  return [...reportSections(report), settings]
    .map(rowTable)
    .concat(
      html`<div class="card"><h3>Plan</h3><ul class="plain">${report.plan.map((line) => html`<li>${line}</li>`)}</ul></div>\n`,
    );
}

function rowTable({ title, rows }: Section): Html {
  return html`<div class="card"><h3>${title}</h3><table class="rows"><tbody>
${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`)}</tbody></table></div>
`;
}

/** Renders the measured latencies. */
export function latencyTable(report: Report): Html | string {
  const rows = latencyRows(report);
  if (rows.length === 0) return '';
  return html`<section><h2>Latencies</h2><div class="card wide" role="region" aria-label="Latencies" tabindex="0"><table class="numbers">
<thead><tr><td></td>${QUANTILES.map((name) => html`<th scope="col">${name}</th>`)}<th scope="col">count</th></tr></thead>
<tbody>${rows.map(
    ({ name, summary }) =>
      html`<tr><th scope="row">${name}</th>${QUANTILES.map((quantile) => html`<td>${duration(summary[quantile])}</td>`)}<td>${whole(summary.count)}</td></tr>\n`,
  )}</tbody>
</table></div></section>`;
}

/** Renders the series of the plots as a table. */
export function secondTable({ series }: Report): Html | string {
  const spans = downsample(series, MAX_ROWS);
  if (spans.length === 0) return '';
  const show = (value: number | undefined, format: (value: number) => string) =>
    value === undefined ? '' : format(value);
  const columns = ['second', 'connected', 'handshakes/s', 'deliveries/s', 'p50', 'p99', 'max', 'CPU'];
  return html`<details class="card"><summary>Data of the plots</summary><div class="wide" role="region" aria-label="Data of the plots" tabindex="0"><table class="numbers">
<thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${spans.map(
    ({ atS, open, handshakes, deliveries, p50, p99, max, cpu }) =>
      html`<tr><th scope="row">${whole(atS)}</th>${[
        whole(open),
        whole(handshakes),
        whole(deliveries),
        ...[p50, p99, max].map((ms) => show(ms, duration)),
        show(cpu, wholePercent),
      ].map((cell) => html`<td>${cell}</td>`)}</tr>\n`,
  )}</tbody>
</table></div></details>`;
}
