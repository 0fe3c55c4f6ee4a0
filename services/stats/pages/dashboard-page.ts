import { type Html, html } from '../../shared/http/html.ts';
import type { Dashboard, ProcessRow } from '../view/dashboard.ts';
import { renderCallsTable } from './calls-table.ts';
import { formatAge, formatCount, formatSkew, formatUs } from './format.ts';
import { renderLayout, renderMenu } from './layout.ts';
import { type Column, renderTable, withQuery } from './table.ts';
import { renderTraces } from './traces-table.ts';

/** Interval of the automatic refresh, in seconds. */
const REFRESH_S = 5;

/**
 * Renders the dashboard.
 *
 * @param page.url URL of the request, with its query
 * @param page.refreshes whether automatic refresh is on
 */
export function renderDashboard(dashboard: Dashboard, page: { nowMs: number; url: URL; refreshes: boolean }): string {
  const { nowMs, url, refreshes } = page;
  const toggle = refreshes
    ? { href: withQuery(url, { refresh: '' }), text: 'Stop refreshing' }
    : { href: withQuery(url, { refresh: '1' }), text: `Refresh every ${REFRESH_S} s` };
  const { requests, calls, sorts } = dashboard;
  const body = html`<h1 class="hidden">Call statistics</h1>
<div data-live="tiles">${renderTiles(dashboard, url)}</div>
<section aria-labelledby="requests"><h2 id="requests">Requests, last 15 minutes</h2>
<div data-live="requests">${renderCallsTable({ id: 'requests', caption: 'Requests by path', what: 'Path', rows: requests, sort: sorts.requests, url })}</div>
</section>
<section aria-labelledby="traces"><h2 id="traces">Traces</h2>
${renderTraces(dashboard, url)}
</section>
<section aria-labelledby="calls"><h2 id="calls">Calls made, and work of the relays</h2>
<div data-live="calls">${renderCallsTable({ id: 'calls', caption: 'Calls by kind', what: 'Call', rows: calls, sort: sorts.calls, url })}</div>
</section>
<section aria-labelledby="processes"><h2 id="processes">Processes</h2>
<div data-live="processes">${renderProcesses(dashboard, { nowMs, url })}</div>
</section>`;
  const head = html`<p class="faint refreshed" id="refreshed" role="status"></p>${renderMenu([{ href: '/stats/developers', text: 'Developers' }, toggle, { href: withQuery(url, { format: 'json' }), text: 'JSON' }])}`;
  return renderLayout({ title: 'Call statistics · Heliograph', head, body, refreshS: refreshes ? REFRESH_S : 0 });
}

function renderTiles({ relays, freshRelays, connections, requests, kept, failed }: Dashboard, url: URL): Html {
  const perMinute = requests.reduce((sum, row) => sum + (row.perMinute.at(-2) ?? 0), 0);
  const errors = requests.reduce((sum, row) => sum + row.errors, 0);
  const refused = requests.reduce((sum, row) => sum + row.refused, 0);
  const stale = relays - freshRelays;
  const tracesOf = (outcome: { failed?: string; refused?: string }) =>
    `${withQuery(url, { call: '', failed: '', refused: '', ...outcome })}#traces`;
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
    errors > 0 ? html`<a class="bad" href="${tracesOf({ failed: '1' })}">show failed</a>` : html`in 15 minutes`,
  ),
  tile(
    'Refused',
    formatCount(refused),
    refused > 0 ? html`<a class="warn" href="${tracesOf({ refused: '1' })}">show refused</a>` : html`in 15 minutes`,
  ),
  tile('Traces kept', formatCount(kept), html`${formatCount(failed)} failed`),
]}</dl>`;
}

function tile(name: string, value: string, note: Html): Html {
  return html`<div><dt>${name}</dt><dd><strong>${value}</strong> <span class="note">${note}</span></dd></div>\n`;
}

const PROCESS_TABLE: readonly Column[] = [
  { text: 'Services', key: 'services' },
  { text: 'Host', key: 'host' },
  { text: 'Connections', key: 'connections', isNumber: true },
  { text: 'Topics', key: 'topics', isNumber: true },
  { text: 'State', key: 'state' },
  { text: 'Clock skew', key: 'skew', isNumber: true },
  { text: 'Delivery lag', key: 'lag', isNumber: true },
  { text: 'Uptime', key: 'uptime', isNumber: true },
];

function renderProcesses({ processes, sorts }: Dashboard, page: { nowMs: number; url: URL }): Html {
  if (processes.length === 0) return html`<p class="empty">No process has reported recently.</p>`;
  return renderTable({
    id: 'processes',
    caption: 'Processes that report',
    columns: PROCESS_TABLE,
    rows: processes.map((row) => renderProcess(row, page.nowMs)),
    sort: sorts.processes,
    url: page.url,
  });
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
