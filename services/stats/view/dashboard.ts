import type { ProcessRecord, StoredTrace } from '../store/records.ts';
import type { StatsStore } from '../store/stats-store.ts';
import { CALL_COLUMNS, type CallRow, sumCalls } from './calls.ts';
import { matches, type TraceFilter } from './filters.ts';
import { parseSort, type Sort, type SortColumns, sortRows } from './sorting.ts';
import { alignSpans, DELIVER, summarize, type TraceSummary } from './summary.ts';

/** A process, with the delivery lag of its relay. */
export interface ProcessRow extends ProcessRecord {
  /**
   * Mean time by which its relay delivered updates later than the first relay, over the kept traces, in microseconds;
   * null if no update was delivered by two relays.
   */
  readonly behindFirstUs: number | null;
}

/** Columns by which the table of processes can be sorted. */
export const PROCESS_COLUMNS = {
  services: ({ services, host, pid }) => `${services} ${host} ${pid}`,
  host: ({ host, pid }) => `${host}:${pid}`,
  connections: ({ facts }) => toNumber(facts.connections),
  topics: ({ facts }) => toNumber(facts.topics),
  state: ({ facts }) => (typeof facts.fresh === 'boolean' ? Number(facts.fresh) : -1),
  skew: ({ skewUs }) => Math.abs(skewUs ?? -1),
  lag: ({ behindFirstUs }) => behindFirstUs ?? -1,
  uptime: ({ startedAtMs }) => -startedAtMs,
} satisfies SortColumns<ProcessRow>;

/** Order of each table of the dashboard. */
export interface Sorts {
  readonly requests: Sort;
  readonly calls: Sort;
  readonly processes: Sort;
}

/** Parses the order of each table from a query, in which it has the name of the table. */
export function parseSorts(query: Readonly<Record<string, unknown>>): Sorts {
  const mostFrequent = { column: 'count', descending: true };
  return {
    requests: parseSort(query.requests, CALL_COLUMNS, mostFrequent),
    calls: parseSort(query.calls, CALL_COLUMNS, mostFrequent),
    processes: parseSort(query.processes, PROCESS_COLUMNS, { column: 'services', descending: false }),
  };
}

/** Content of the dashboard, also its JSON. */
export interface Dashboard {
  readonly processes: readonly ProcessRow[];
  readonly relays: number;
  readonly freshRelays: number;
  readonly connections: number;
  /** Requests to Express apps, by method and route. */
  readonly requests: readonly CallRow[];
  /** All other calls. */
  readonly calls: readonly CallRow[];
  readonly filter: TraceFilter;
  readonly traces: readonly TraceSummary[];
  /** Number of kept traces; how many of them match the filter, failed, or have a refused request. */
  readonly kept: number;
  readonly matching: number;
  readonly failed: number;
  readonly refused: number;
  readonly sorts: Sorts;
}

/** Reads the dashboard from the store. Rejects if the store cannot be reached. */
export async function readDashboard(store: StatsStore, filter: TraceFilter, sorts: Sorts): Promise<Dashboard> {
  const [records, minutes] = await Promise.all([store.processes(), store.calls()]);
  const summaries: TraceSummary[] = [];
  const found: TraceSummary[] = [];
  const lags = new Map<string, { sumUs: number; count: number }>();
  for await (const traces of store.traces()) {
    for (const trace of traces) {
      const summary = summarize(trace);
      if (summary) summaries.push(summary);
      if (summary && matches(filter, summary, trace)) found.push(summary);
      addLags(trace, lags);
    }
  }
  const order = { newest: (trace: TraceSummary) => trace.startUs, slowest: (trace: TraceSummary) => trace.wholeUs };
  const by = order[filter.sort];
  const relays = records.filter(({ facts }) => typeof facts.fresh === 'boolean');
  const processes = records.map((record) => ({ ...record, behindFirstUs: meanOf(lags.get(record.process)) }));
  const rows = sumCalls(minutes);
  const requests = rows.filter(({ kind }) => kind === 'server');
  const calls = rows.filter(({ kind }) => kind !== 'server');
  return {
    processes: sortRows(processes, PROCESS_COLUMNS, sorts.processes),
    relays: relays.length,
    freshRelays: relays.filter(({ facts }) => facts.fresh === true).length,
    connections: relays.reduce((sum, { facts }) => sum + (Number(facts.connections) || 0), 0),
    requests: sortRows(requests, CALL_COLUMNS, sorts.requests),
    calls: sortRows(calls, CALL_COLUMNS, sorts.calls),
    filter,
    traces: found.sort((one, other) => by(other) - by(one)).slice(0, filter.limit),
    kept: summaries.length,
    matching: found.length,
    failed: summaries.filter(({ error }) => error !== '').length,
    refused: summaries.filter(({ refused }) => refused !== '').length,
    sorts,
  };
}

/** Adds, for each relay of a trace, how much later than the first one it had delivered the update. */
function addLags(trace: StoredTrace, lags: Map<string, { sumUs: number; count: number }>): void {
  const ends = new Map<string, number>();
  for (const { name, kind, process, atUs, durationUs } of alignSpans(trace)) {
    if (name !== DELIVER || kind !== 'consumer') continue;
    ends.set(process, Math.max(ends.get(process) ?? 0, atUs + durationUs));
  }
  if (ends.size < 2) return;
  const first = Math.min(...ends.values());
  for (const [process, end] of ends) {
    const { sumUs, count } = lags.get(process) ?? { sumUs: 0, count: 0 };
    lags.set(process, { sumUs: sumUs + end - first, count: count + 1 });
  }
}

function meanOf(lag: { sumUs: number; count: number } | undefined): number | null {
  return lag ? Math.round(lag.sumUs / lag.count) : null;
}

function toNumber(value: unknown): number {
  return typeof value === 'number' ? value : -1;
}
