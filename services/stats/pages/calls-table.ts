import { type Html, html } from '../../shared/http/html.ts';
import type { CallRow } from '../view/calls.ts';
import { toCallFilter } from '../view/filters.ts';
import type { Sort } from '../view/sorting.ts';
import { formatCount, formatMs } from './format.ts';
import { serviceClass } from './layout.ts';
import { type Column, renderTable, withQuery } from './table.ts';

const COLUMNS: readonly Column[] = [
  { text: 'Count', key: 'count', isNumber: true },
  { text: 'Errors', key: 'errors', isNumber: true },
  { text: 'Refused', key: 'refused', isNumber: true },
  { text: 'Mean', key: 'mean', isNumber: true },
  { text: 'p99', key: 'p99', isNumber: true },
  { text: 'Longest', key: 'longest', isNumber: true },
  { text: 'Calls per minute' },
];

/** Renders a table of calls with their counts and durations. Each row links to the traces that contain such a call. */
export function renderCallsTable(table: {
  id: string;
  caption: string;
  what: string;
  rows: readonly CallRow[];
  sort: Sort;
  url: URL;
}): Html {
  const { what, rows, url } = table;
  if (rows.length === 0) return html`<p class="empty">No calls in the last 15 minutes.</p>`;
  const columns = [{ text: what, key: 'name' }, ...COLUMNS];
  return renderTable({ ...table, columns, rows: rows.map((row) => renderRow(row, url)) });
}

function renderRow(row: CallRow, url: URL): Html {
  const { service, name, errors, refused, refusals } = row;
  const tracesOf = (outcome: { failed?: string; refused?: string } = {}) =>
    `${withQuery(url, { call: toCallFilter(row), failed: '', refused: '', ...outcome })}#traces`;
  const codes = Object.entries(refusals).sort(([, one], [, other]) => other - one);
  const none = html`<span class="faint">0</span>`;
  return html`<tr>
<th scope="row"><span class="swatch ${serviceClass(service)}"></span><a class="call" href="${tracesOf()}"><span class="service">${service}</span> <bdi>${name}</bdi></a></th>
<td class="number">${formatCount(row.count)}</td>
<td class="number">${errors > 0 ? html`<a class="bad" href="${tracesOf({ failed: '1' })}">${formatCount(errors)}</a>` : none}</td>
<td class="number">${refused > 0 ? html`<a class="warn" href="${tracesOf({ refused: '1' })}">${formatCount(refused)}</a>` : none}${codes.map(renderCode)}</td>
<td class="number">${formatMs(row.meanMs)}</td>
<td class="number">${formatMs(row.p99Ms)}</td>
<td class="number">${formatMs(row.maxMs)}</td>
<td>${renderSparkline(row.perMinute)}</td>
</tr>
`;
}

function renderCode([code, count]: [string, number]): Html {
  return html`<span class="code">${code}${count > 1 ? html` <span class="times">× ${formatCount(count)}</span>` : html``}</span>`;
}

function renderSparkline(perMinute: readonly number[]): Html {
  const most = Math.max(1, ...perMinute);
  const width = 8;
  const bars = perMinute.map((count, i) => {
    const height = count === 0 ? 1 : Math.max(2, (count / most) * 20);
    return html`<rect x="${i * width}" y="${20 - height}" width="${width - 2}" height="${height}" class="${count === 0 ? 'none' : 'some'}"/>`;
  });
  return html`<svg class="sparkline" viewBox="0 0 ${perMinute.length * width} 20" width="${perMinute.length * width}" height="20" role="img" aria-label="${`at most ${most} per minute; ${perMinute.at(-1) ?? 0} in the current one`}">${bars}</svg>`;
}
