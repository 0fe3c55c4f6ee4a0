import { type Html, html } from '../../shared/http/html.ts';
import { duration, size, whole } from './format.ts';
import { headline, tiles } from './headline.ts';
import { PAGE_STYLE } from './page-style.ts';
import { toldPlot } from './plots/last-update-plot.ts';
import { latencyPlot } from './plots/latency-plot.ts';
import { seriesPlots } from './plots/series-plots.ts';
import type { Report } from './report.ts';
import { verdictText } from './report-sections.ts';
import { latencyTable, rowTables, secondTable } from './report-tables.ts';

/** The report as one page that needs nothing else: no script, no other file, and nothing that it could fetch. */
export function renderHtml(report: Report): string {
  const isKept = report.verdicts.every((verdict) => verdict.isKept);
  const plots = [...latencyPlot(report), ...toldPlot(report)];
  const series = seriesPlots(report);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${headline(report)} · Heliograph load test</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<p class="kind">Heliograph load test${report.label === '' ? '' : ` · ${report.label}`}</p>
<h1>${headline(report)}</h1>
<p class="where">${whereAndWhen(report)}</p>
${report.ended === 'completed' ? '' : html`<p class="notice">The test was ${report.ended}: this is the report so far.</p>`}
</header>
<main>
<section class="tiles" aria-label="The most important figures">
${tiles(report).map(({ name, value, more }) => html`<div class="card tile"><h2>${name}</h2><p class="value">${value}</p><p>${more}</p></div>\n`)}
</section>
<section class="pair">
<div class="card ${isKept ? 'kept' : 'broken'}"><h2>${isKept ? 'Every threshold is kept' : 'Not every threshold is kept'}</h2>
<ul>${report.verdicts.map((verdict) => html`<li class="${verdict.isKept ? 'yes' : 'no'}">${verdictText(verdict)}</li>`)}</ul></div>
<div class="card"><h2>The wall</h2><p>${capitalised(report.wall)}.</p></div>
</section>
${plots.length === 0 ? '' : html`<section class="plots large" aria-label="How late updates were">${plots}</section>`}
${series.length === 0 ? '' : html`<section aria-label="Second by second"><h2>Second by second</h2><div class="plots">${series}</div></section>`}
${latencyTable(report)}
<section><h2>Figures</h2><div class="columns">${rowTables(report)}</div></section>
${secondTable(report)}
</main>
<footer>${footer(report)}</footer>
</body>
</html>
`.text;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function whereAndWhen({ startedAt, tookS, cluster }: Report): string {
  const at = `${startedAt.slice(0, 16).replace('T', ' ')} UTC`;
  return `${at}, for ${duration(tookS * 1000)} · ${cluster}`;
}

function footer({ machine }: Report): Html {
  const cores = `${whole(machine.cpus)} ${machine.cpus === 1 ? 'core' : 'cores'}`;
  return html`<p>The clients ran on a machine with ${cores} and ${size(machine.memoryBytes)}, on Node ${machine.node}. Figures of different machines do not compare; ratios within one test do.</p>`;
}
