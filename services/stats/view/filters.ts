import type { TraceSummary } from './summary.ts';

/** How many traces a list shows, and at most. */
const LIST_LENGTH = 20;
export const MAX_LIST_LENGTH = 200;

/** Which traces somebody wants to see. */
export interface TraceFilter {
  /** A part of the topic; empty for any. */
  readonly topic: string;
  /** A part of what it began with, or of the path; empty for any. */
  readonly path: string;
  /** The shortest duration, in milliseconds. */
  readonly minMs: number;
  /** Whether only those that failed. */
  readonly failed: boolean;
  readonly sort: 'newest' | 'slowest';
  /** How many of them at most. */
  readonly limit: number;
}

type Query = Readonly<Record<string, unknown>>;

/** Reads a filter from a query. What makes no sense in it counts as not there. */
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

/** Whether a trace is one of those that somebody wants to see. */
export function matches(filter: TraceFilter, trace: TraceSummary): boolean {
  return (
    trace.topic.includes(filter.topic) &&
    (trace.name.includes(filter.path) || trace.path.includes(filter.path)) &&
    trace.wholeUs >= filter.minMs * 1000 &&
    (!filter.failed || trace.error !== '')
  );
}
