import { describe, expect, it } from 'vitest';
import { parseSort, type SortColumns, sortRows } from '../../../services/stats/view/sorting.ts';

type Row = { readonly name: string; readonly count: number };
const COLUMNS: SortColumns<Row> = { name: ({ name }) => name, count: ({ count }) => count };
const FALLBACK = { column: 'name', descending: false };
const ROWS: readonly Row[] = [
  { name: 'b', count: 2 },
  { name: 'a', count: 2 },
  { name: 'c', count: 10 },
];

describe('the order of a table', () => {
  it.each([
    ['count', { column: 'count', descending: false }],
    ['-count', { column: 'count', descending: true }],
    ['--count', FALLBACK],
    ['constructor', FALLBACK],
    ['', FALLBACK],
    [undefined, FALLBACK],
    [['count', 'name'], FALLBACK],
  ])('is parsed from a query: %j', (text, sort) => {
    expect(parseSort(text, COLUMNS, FALLBACK)).toEqual(sort);
  });

  it.each([
    ['name', false, ['a', 'b', 'c']],
    ['name', true, ['c', 'b', 'a']],
    ['count', false, ['b', 'a', 'c']],
    ['count', true, ['c', 'b', 'a']],
  ])('sorts by %s, descending: %s; equal rows stay as they are', (column, descending, names) => {
    expect(sortRows(ROWS, COLUMNS, { column, descending }).map(({ name }) => name)).toEqual(names);
  });
});
