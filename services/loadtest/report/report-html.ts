import { type Html, html } from '../../shared/http/html.ts';
import { duration, size, whole } from './format.ts';
import { headline, tiles } from './headline.ts';
import { PAGE_STYLE } from './page-style.ts';
import { lastUpdatePlot } from './plots/last-update-plot.ts';
import { latencyPlot } from './plots/latency-plot.ts';
import { seriesPlots } from './plots/series-plots.ts';
import type { Report } from './report.ts';
import { earlyEndText, thresholdText, verdict } from './report-sections.ts';
import { latencyTable, rowTables, secondTable } from './report-tables.ts';

/** Renders the report as one self-contained page: no script, no other files, no requests. */
export function renderHtml(report: Report): string {
  const passed = report.thresholds.every((result) => result.passed);
  const plots = [...latencyPlot(report), ...lastUpdatePlot(report)];
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
<p class="subtitle">${subtitle(report)}</p>
<p class="subtitle"><code>${report.commandLine}</code></p>
${report.ended === 'completed' ? '' : html`<p class="notice">${earlyEndText(report.ended)}</p>`}
</header>
<main>
<section class="tiles" aria-label="Key figures">
${tiles(report).map(({ name, value, note }) => html`<div class="card tile"><h2>${name}</h2><p class="value">${value}</p><p>${note}</p></div>\n`)}
</section>
<section class="pair">
<div class="card ${passed ? 'passed' : 'failed'}"><h2>${verdict(report)}</h2>
<ul>${report.thresholds.map((result) => html`<li class="${result.passed ? 'yes' : 'no'}">${thresholdText(result)}</li>`)}</ul></div>
<div class="card"><h2>Bottleneck</h2><p>${capitalised(report.bottleneck)}.</p></div>
</section>
${plots.length === 0 ? '' : html`<section class="plots large" aria-label="Latency of updates">${plots}</section>`}
${series.length === 0 ? '' : html`<section aria-label="Over time"><h2>Over time</h2><div class="plots">${series}</div></section>`}
${latencyTable(report)}
<section><h2>Details</h2><div class="columns">${rowTables(report)}</div></section>
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

function subtitle({ version, startedAt, durationS, cluster }: Report): string {
  const at = `${startedAt.slice(0, 16).replace('T', ' ')} UTC`;
  return `Heliograph ${version} · ${at} · ran for ${duration(durationS * 1000)} · ${cluster}`;
}

function footer({ machine }: Report): Html {
  const cores = `${whole(machine.cpus)} ${machine.cpus === 1 ? 'core' : 'cores'}`;
  return html`<p>Clients ran on a machine with ${cores} and ${size(machine.memoryBytes)} of memory, with Node.js ${machine.node}. Absolute figures of different machines are not comparable; ratios within one test are.</p>`;
}
