import { type Html, html } from '../../shared/http/html.ts';
import type { Dashboard } from '../view/dashboard.ts';
import { MAX_LIST_LENGTH } from '../view/filters.ts';
import type { TraceSummary } from '../view/summary.ts';
import { formatCount, formatUs, percent, timeElement } from './format.ts';
import { serviceClass } from './layout.ts';
import { withQuery } from './table.ts';

/** Parameters of the page that the form of the filter keeps. */
const KEPT_PARAMETERS = ['call', 'requests', 'calls', 'processes', 'refresh'];

/** Renders the matching traces and the filter form; `url` is that of the page. */
export function renderTraces(dashboard: Dashboard, url: URL): Html {
  const { filter, traces, matching, kept, failed, refused } = dashboard;
  const parameters = KEPT_PARAMETERS.map((name) => [name, url.searchParams.get(name) ?? ''] as const);
  const longest = Math.max(1, ...traces.map(({ wholeUs }) => wholeUs));
  return html`<form class="filter" action="/stats#traces" method="get" role="search" aria-label="Traces">
<div data-live="kept" hidden>${parameters.filter(([, value]) => value !== '').map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}</div>
<p><label for="topic">Topic</label><input id="topic" name="topic" value="${filter.topic}" maxlength="200"></p>
<p><label for="path">Path</label><input id="path" name="path" value="${filter.path}" maxlength="200"></p>
<p><label for="ms">Minimum ms</label><input id="ms" name="ms" value="${filter.minMs || ''}" inputmode="decimal" maxlength="12"></p>
<p><label for="sort">Order</label><select id="sort" name="sort">${[option('slowest', filter.sort), option('newest', filter.sort)]}</select></p>
<p class="check"><input type="checkbox" id="failed" name="failed" value="1"${filter.failed ? html` checked` : html``}><label for="failed">Failed <span data-live="failed">(${formatCount(failed)})</span></label></p>
<p class="check"><input type="checkbox" id="refused" name="refused" value="1"${filter.refused ? html` checked` : html``}><label for="refused">Refused <span data-live="refused">(${formatCount(refused)})</span></label></p>
<p><button>Show</button></p>
</form>
<div data-live="traces">${filter.call === '' ? html`` : html`<p class="chip">Only traces with <bdi class="topic">${filter.call}</bdi> <a href="${withQuery(url, { call: '' })}#traces">Show all</a></p>`}
<p class="faint" role="status">${matchingText(matching, kept, traces.length)}${traces.length < Math.min(matching, MAX_LIST_LENGTH) ? html` <a href="${withQuery(url, { limit: String(MAX_LIST_LENGTH) })}#traces">Show more</a>` : html``}</p>
${
  traces.length === 0
    ? html`<p class="empty">${kept === 0 ? 'No request has been recorded yet. Publish an update, and reload this page.' : 'No trace matches.'}</p>`
    : html`<ol class="traces">
${traces.map((trace) => renderTrace(trace, longest))}</ol>`
}</div>`;
}

function option(value: string, chosen: string): Html {
  return html`<option${value === chosen ? html` selected` : html``}>${value}</option>`;
}

function matchingText(matching: number, kept: number, shown: number): string {
  const of =
    matching === kept
      ? `${formatCount(kept)} kept`
      : `${formatCount(matching)} of ${formatCount(kept)} kept traces match`;
  return shown < matching ? `${of}; showing the first ${shown}.` : `${of}.`;
}

function renderTrace(trace: TraceSummary, longest: number): Html {
  const { id, name, service, topic, path, startUs, wholeUs, durationUs, relays, clients, error, refused } = trace;
  const delivered = relays === 0 ? '' : `${plural(relays, 'relay')}, ${plural(clients, 'client')}`;
  return html`<li><a class="trace" href="/stats/traces/${id}">
<span class="what"><span class="swatch ${serviceClass(service)}"></span><span class="service">${service}</span> <bdi>${name}</bdi>${error === '' ? html`` : html` <span class="badge bad">failed: ${error}</span>`}${refused === '' ? html`` : html` <span class="badge warn">refused: ${refused}</span>`}</span>
<span class="about">${topic === '' ? html`<bdi class="faint">${path}</bdi>` : html`<bdi class="topic">${topic}</bdi>`}</span>
<span class="delivered faint">${delivered}</span>
<span class="when faint">${timeElement(startUs)}</span>
<span class="took">${formatUs(wholeUs)}</span>
<svg class="bar" height="6" aria-hidden="true"><rect class="whole" width="${percent(wholeUs, longest)}" height="6" rx="3"/><rect class="${serviceClass(service)}" width="${percent(Math.min(durationUs, wholeUs), longest)}" height="6" rx="3"/></svg>
</a></li>
`;
}

function plural(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}
