import type { TraceSummary } from './summary.ts';

/** Number of traces in the list by default. */
const LIST_LENGTH = 20;
/** Highest `limit`. */
export const MAX_LIST_LENGTH = 200;

/** Filter and order of the list of traces. */
export interface TraceFilter {
  /** Substring of the topic; empty for any. */
  readonly topic: string;
  /** Substring of the name of the root span, or of the path; empty for any. */
  readonly path: string;
  /** Shortest duration, in milliseconds. */
  readonly minMs: number;
  /** True for failed traces only. */
  readonly failed: boolean;
  readonly sort: 'newest' | 'slowest';
  /** Most traces in the list. */
  readonly limit: number;
}

type Query = Readonly<Record<string, unknown>>;

/** Parses a filter from a query. Invalid values are replaced by their defaults. */
export function parseFilter(query: Query): TraceFilter {
  const text = (name: string) => (typeof query[name] === 'string' ? query[name].slice(0, 200) : '');
  const minMs = Number(text('ms'));
  const limit = Number(text('limit'));
  return {
    topic: text('topic'),
    path: text('path'),
    minMs: Number.isFinite(minMs) && minMs > 0 ? minMs : 0,
    failed: text('failed') === '1',
    sort: text('sort') === 'newest' ? 'newest' : 'slowest',
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, MAX_LIST_LENGTH) : LIST_LENGTH,
  };
}

/** Returns whether a trace matches a filter. */
export function matches(filter: TraceFilter, trace: TraceSummary): boolean {
  return (
    trace.topic.includes(filter.topic) &&
    (trace.name.includes(filter.path) || trace.path.includes(filter.path)) &&
    trace.wholeUs >= filter.minMs * 1000 &&
    (!filter.failed || trace.error !== '')
  );
}
