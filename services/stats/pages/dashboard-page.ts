import { type Html, html } from '../../shared/http/html.ts';
import type { Dashboard, ProcessRow } from '../view/dashboard.ts';
import { MAX_LIST_LENGTH } from '../view/filters.ts';
import { renderCallsTable } from './calls-table.ts';
import { formatAge, formatCount, formatSkew, formatUs } from './format.ts';
import { renderLayout, renderMenu } from './layout.ts';
import { renderTraces } from './traces-table.ts';

/** Interval of the automatic refresh, in seconds. */
export const REFRESH_S = 5;

/**
 * Renders the dashboard.
 *
 * @param page.url URL of the request, with its query
 * @param page.refreshes whether automatic refresh is on
 */
export function renderDashboard(dashboard: Dashboard, page: { nowMs: number; url: URL; refreshes: boolean }): string {
  const { nowMs, url, refreshes } = page;
  const toggle = refreshes
    ? { href: withQuery(url, 'refresh', ''), text: 'Stop refreshing' }
    : { href: withQuery(url, 'refresh', '1'), text: `Refresh every ${REFRESH_S} s` };
  const body = html`<h1 class="hidden">Call statistics</h1>
${renderTiles(dashboard)}
<section aria-labelledby="requests"><h2 id="requests">Requests, last 15 minutes</h2>
${renderCallsTable({ id: 'requests', caption: 'Requests by path', what: 'Path', rows: dashboard.requests })}
</section>
<section aria-labelledby="traces"><h2 id="traces">Traces</h2>
${renderTraces(dashboard, withQuery(url, 'limit', String(MAX_LIST_LENGTH)))}
</section>
<section aria-labelledby="calls"><h2 id="calls">Calls made, and work of the relays</h2>
${renderCallsTable({ id: 'calls', caption: 'Calls by kind', what: 'Call', rows: dashboard.calls })}
</section>
<section aria-labelledby="processes"><h2 id="processes">Processes</h2>
${renderProcesses(dashboard.processes, nowMs)}
</section>`;
  const head = renderMenu([toggle, { href: withQuery(url, 'format', 'json'), text: 'JSON' }]);
  return renderLayout({ title: 'Call statistics · Heliograph', head, body });
}

function withQuery(url: URL, name: string, value: string): string {
  const changed = new URL(url);
  if (value === '') changed.searchParams.delete(name);
  else changed.searchParams.set(name, value);
  return changed.pathname + changed.search;
}

function renderTiles({ relays, freshRelays, connections, requests, kept, failed }: Dashboard): Html {
  const perMinute = requests.reduce((sum, row) => sum + (row.perMinute.at(-2) ?? 0), 0);
  const errors = requests.reduce((sum, row) => sum + row.errors, 0);
  const stale = relays - freshRelays;
  return html`<dl class="tiles">
${[
  tile(
    'Relays',
    formatCount(relays),
    stale > 0 ? html`<span class="bad">${stale} stale</span>` : html`${relays > 0 ? 'all fresh' : 'none reporting'}`,
  ),
  tile('Connections', formatCount(connections), html`over all relays`),
  tile('Requests/min', formatCount(perMinute), html`last full minute`),
  tile(
    'Errors',
    formatCount(errors),
    errors > 0 ? html`<a class="bad" href="/stats?failed=1#traces">show failed</a>` : html`in 15 minutes`,
  ),
  tile('Traces kept', formatCount(kept), html`${formatCount(failed)} failed`),
]}</dl>`;
}

function tile(name: string, value: string, note: Html): Html {
  return html`<div><dt>${name}</dt><dd><strong>${value}</strong> <span class="note">${note}</span></dd></div>\n`;
}

function renderProcesses(processes: readonly ProcessRow[], nowMs: number): Html {
  if (processes.length === 0) return html`<p class="empty">No process has reported recently.</p>`;
  return html`<div class="scroll" role="region" aria-labelledby="processes" tabindex="0">
<table>
<caption class="hidden">Processes that report</caption>
<thead><tr><th scope="col">Services</th><th scope="col">Host</th><th scope="col" class="number">Connections</th><th scope="col" class="number">Topics</th><th scope="col">State</th><th scope="col" class="number">Clock skew</th><th scope="col" class="number">Delivery lag</th><th scope="col" class="number">Uptime</th></tr></thead>
<tbody>
${processes.map((row) => renderProcess(row, nowMs))}</tbody>
</table>
</div>`;
}

function renderProcess(
  { services, host, pid, startedAtMs, skewUs, uncertainUs, behindFirstUs, facts }: ProcessRow,
  nowMs: number,
): Html {
  const { connections, topics, fresh } = facts;
  const none = html`<span class="faint">–</span>`;
  const count = (value: unknown) => (typeof value === 'number' ? html`${formatCount(value)}` : none);
  return html`<tr>
<th scope="row">${services.join(', ')}</th>
<td><bdi>${host}</bdi>:${pid}</td>
<td class="number">${count(connections)}</td>
<td class="number">${count(topics)}</td>
<td>${typeof fresh !== 'boolean' ? none : fresh ? html`<span class="good">fresh</span>` : html`<span class="bad">stale</span>`}</td>
<td class="number">${formatSkew(skewUs, uncertainUs)}</td>
<td class="number">${behindFirstUs === null ? none : html`${formatUs(behindFirstUs)}`}</td>
<td class="number">${formatAge(nowMs - startedAtMs)}</td>
</tr>
`;
}
