import { quantile } from '../recorder/call-histogram.ts';
import type { CallCount, MinuteOfCalls } from '../store/records.ts';
import { CALL_WINDOW_MINUTES } from '../store/stats-store.ts';
import type { SortColumns } from './sorting.ts';

/** Calls of one kind, summed over all processes and the last minutes. */
export interface CallRow {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly count: number;
  readonly errors: number;
  /** Number of refused calls, also by status and error code. */
  readonly refused: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Number of calls in each of the last minutes, oldest first. */
  readonly perMinute: readonly number[];
}

/** Columns by which a table of calls can be sorted. */
export const CALL_COLUMNS = {
  name: ({ service, name }) => `${service} ${name}`,
  count: ({ count }) => count,
  errors: ({ errors }) => errors,
  refused: ({ refused }) => refused,
  mean: ({ meanMs }) => meanMs,
  p99: ({ p99Ms }) => p99Ms,
  longest: ({ maxMs }) => maxMs,
} satisfies SortColumns<CallRow>;

/** Sums the counts of all processes by kind of call, most frequent first. */
export function sumCalls(minutes: readonly MinuteOfCalls[]): readonly CallRow[] {
  const newest = Math.max(0, ...minutes.map(({ minute }) => minute));
  const groups = new Map<string, { minute: number; call: CallCount }[]>();
  for (const { minute, calls } of minutes) {
    for (const call of calls) {
      const key = `${call.service} ${call.kind} ${call.name}`;
      const group = groups.get(key);
      if (group) group.push({ minute, call });
      else groups.set(key, [{ minute, call }]);
    }
  }
  return [...groups.values()].map((group) => sum(group, newest)).sort((one, other) => other.count - one.count);
}

function sum(group: readonly { minute: number; call: CallCount }[], newest: number): CallRow {
  const total = (pick: (call: CallCount) => number) => group.reduce((sum, { call }) => sum + pick(call), 0);
  const perMinute: number[] = new Array(CALL_WINDOW_MINUTES).fill(0);
  const buckets: Record<string, number> = {};
  const refusals: Record<string, number> = {};
  for (const { minute, call } of group) {
    const at = CALL_WINDOW_MINUTES - 1 - (newest - minute);
    if (at >= 0) perMinute[at] = (perMinute[at] ?? 0) + call.count;
    addCounts(buckets, call.buckets);
    addCounts(refusals, call.refusals);
  }
  const { service = '', name = '', kind = '' } = group[0]?.call ?? {};
  const count = total((call) => call.count);
  const maxMs = Math.max(0, ...group.map(({ call }) => call.maxMs));
  return {
    service,
    name,
    kind,
    count,
    errors: total((call) => call.errors),
    refused: Object.values(refusals).reduce((sum, count) => sum + count, 0),
    refusals,
    meanMs: count > 0 ? total((call) => call.sumMs) / count : 0,
    // The upper bound of a bucket can be above the maximum.
    p99Ms: Math.min(maxMs, quantile(buckets, 0.99)),
    maxMs,
    perMinute,
  };
}

function addCounts(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
}
