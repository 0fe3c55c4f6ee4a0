import { type Html, html } from '../../shared/http/html.ts';
import type { Sort } from '../view/sorting.ts';

/** A column of a table; with a `key`, the table can be sorted by it. */
export interface Column {
  readonly text: string;
  readonly key?: string;
  /** Right-aligned; the first click sorts it in descending order. */
  readonly isNumber?: boolean;
}

/**
 * Renders a table that scrolls by itself if it is too wide. The heads of its columns are links that sort it.
 *
 * @param table.id id of its heading, and the parameter of the query that has its order
 * @param table.url URL of the page
 */
export function renderTable(table: {
  id: string;
  caption: string;
  columns: readonly Column[];
  rows: readonly Html[];
  sort: Sort;
  url: URL;
}): Html {
  const { id, caption, columns, rows } = table;
  return html`<div class="scroll" role="group" aria-labelledby="${id}" tabindex="0">
<table>
<caption class="hidden">${caption}</caption>
<thead><tr>${columns.map((column) => renderHead(column, table))}</tr></thead>
<tbody>
${rows}</tbody>
</table>
</div>`;
}

function renderHead({ text, key, isNumber }: Column, table: { id: string; sort: Sort; url: URL }): Html {
  const { id, sort, url } = table;
  const classes = isNumber ? html` class="number"` : html``;
  if (key === undefined) return html`<th scope="col"${classes}>${text}</th>`;
  const isSorted = sort.column === key;
  const descends = isSorted ? !sort.descending : isNumber;
  const href = `${withQuery(url, { [id]: `${descends ? '-' : ''}${key}` })}#${id}`;
  const order = isSorted ? html` aria-sort="${sort.descending ? 'descending' : 'ascending'}"` : html``;
  return html`<th scope="col"${classes}${order}><a class="sort" href="${href}">${text}</a></th>`;
}

/** Returns the path and query of a URL with these parameters changed; an empty value removes one. */
export function withQuery(url: URL, parameters: Readonly<Record<string, string>>): string {
  const changed = new URL(url);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === '') changed.searchParams.delete(name);
    else changed.searchParams.set(name, value);
  }
  return changed.pathname + changed.search;
}
