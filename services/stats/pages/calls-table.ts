import { type Html, html } from '../../shared/http/html.ts';
import type { CallRow } from '../view/calls.ts';
import { formatCount, formatMs } from './format.ts';
import { serviceClass } from './layout.ts';

/** Renders a table of calls with their counts and durations. */
export function renderCallsTable(table: { id: string; caption: string; what: string; rows: readonly CallRow[] }): Html {
  const { id, caption, what, rows } = table;
  if (rows.length === 0) return html`<p class="empty">No calls in the last 15 minutes.</p>`;
  return html`<div class="scroll" role="region" aria-labelledby="${id}" tabindex="0">
<table>
<caption class="hidden">${caption}</caption>
<thead><tr><th scope="col">${what}</th><th scope="col" class="wide">Calls per minute</th><th scope="col" class="number">Count</th><th scope="col" class="number">Errors</th><th scope="col" class="number">Mean</th><th scope="col" class="number">p99</th><th scope="col" class="number">Longest</th></tr></thead>
<tbody>
${rows.map(renderRow)}</tbody>
</table>
</div>`;
}

function renderRow(row: CallRow): Html {
  return html`<tr>
<th scope="row"><span class="swatch ${serviceClass(row.service)}"></span><span class="service">${row.service}</span> <bdi>${row.name}</bdi></th>
<td class="wide">${renderSparkline(row.perMinute)}</td>
<td class="number">${formatCount(row.count)}</td>
<td class="number">${row.errors > 0 ? html`<span class="bad">${formatCount(row.errors)}</span>` : html`<span class="faint">0</span>`}</td>
<td class="number">${formatMs(row.meanMs)}</td>
<td class="number">${formatMs(row.p99Ms)}</td>
<td class="number">${formatMs(row.maxMs)}</td>
</tr>
`;
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
