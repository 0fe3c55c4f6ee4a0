import { MAX_SPAN_NAME, type StoredTrace } from '../store/records.ts';
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
  /** Service and name of a call that the trace contains, such as `webhook POST /webhook`; empty for any. */
  readonly call: string;
  /** True for failed traces only; if `refused` is true too, for either. */
  readonly failed: boolean;
  /** True for traces with a refused request only. */
  readonly refused: boolean;
  readonly sort: 'newest' | 'slowest';
  /** Most traces in the list. */
  readonly limit: number;
}

/** Longest text of a filter. */
const MAX_TEXT = 200;

type Query = Readonly<Record<string, unknown>>;

/** Parses a filter from a query. Invalid values are replaced by their defaults. */
export function parseFilter(query: Query): TraceFilter {
  const text = (name: string) => (typeof query[name] === 'string' ? query[name].slice(0, MAX_TEXT) : '');
  const minMs = Number(text('ms'));
  const limit = Number(text('limit'));
  return {
    topic: text('topic'),
    path: text('path'),
    minMs: Number.isFinite(minMs) && minMs > 0 ? minMs : 0,
    call: text('call'),
    failed: text('failed') === '1',
    refused: text('refused') === '1',
    sort: text('sort') === 'newest' ? 'newest' : 'slowest',
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, MAX_LIST_LENGTH) : LIST_LENGTH,
  };
}

/** Returns `call` of the filter for the traces that contain a call. */
export function toCallFilter(call: { service: string; name: string }): string {
  return `${call.service} ${call.name.slice(0, MAX_SPAN_NAME)}`.slice(0, MAX_TEXT);
}

/** Returns whether a trace matches a filter. */
export function matches(filter: TraceFilter, trace: TraceSummary, { parts }: StoredTrace): boolean {
  const isWanted = (filter.failed && trace.error !== '') || (filter.refused && trace.refused !== '');
  return (
    (isWanted || (!filter.failed && !filter.refused)) &&
    (filter.call === '' || parts.some(({ spans }) => spans.some((span) => toCallFilter(span) === filter.call))) &&
    trace.topic.includes(filter.topic) &&
    (trace.name.includes(filter.path) || trace.path.includes(filter.path)) &&
    trace.wholeUs >= filter.minMs * 1000
  );
}
