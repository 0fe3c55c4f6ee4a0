/** Order of a table. */
export interface Sort {
  /** A key of the table's columns. */
  readonly column: string;
  readonly descending: boolean;
}

/** Values by which a table can be sorted, by column. */
export type SortColumns<Row> = Readonly<Record<string, (row: Row) => string | number>>;

/** Parses an order: a column, after a `-` if it is descending. Returns `fallback` for any other text. */
export function parseSort<Row>(text: unknown, columns: SortColumns<Row>, fallback: Sort): Sort {
  const [, minus, column = ''] = /^(-?)(\w{1,20})$/.exec(String(text ?? '')) ?? [];
  return Object.hasOwn(columns, column) ? { column, descending: minus === '-' } : fallback;
}

/** Returns the rows in this order; rows with equal values stay as they are. */
export function sortRows<Row>(rows: readonly Row[], columns: SortColumns<Row>, sort: Sort): readonly Row[] {
  const sortValue = columns[sort.column] ?? (() => 0);
  const sign = sort.descending ? -1 : 1;
  return [...rows].sort((one, other) => sign * compare(sortValue(one), sortValue(other)));
}

function compare(one: string | number, other: string | number): number {
  return typeof one === 'number' ? one - Number(other) : one.localeCompare(String(other));
}
