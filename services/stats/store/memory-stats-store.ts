import { parseCalls, parsePart, parseProcess } from './parse-records.ts';
import type { MinuteOfCalls, ProcessRecord, StoredTrace } from './records.ts';
import {
  CALL_WINDOW_MINUTES,
  STORE_LIMITS,
  type StatsReport,
  type StatsStore,
  type StoreLimits,
  TRACE_BATCH_SIZE,
  WANTED_TOPICS,
  type WriteResult,
} from './stats-store.ts';

interface TraceEntry {
  readonly atMs: number;
  readonly texts: string[];
  bytes: number;
}

/** The store of a process without Redis, in memory. */
export class MemoryStatsStore implements StatsStore {
  readonly #nowMs: () => number;
  readonly #limits: StoreLimits;
  readonly #traces = new Map<string, TraceEntry>();
  readonly #processes = new Map<string, { text: string; atMs: number }>();
  readonly #calls = new Map<number, Map<string, string>>();
  readonly #wanted = new Map<string, number>();
  readonly #endedSessions = new Map<string, number>();
  #bytes = 0;

  constructor(deps: { nowMs?: () => number; limits?: StoreLimits } = {}) {
    this.#limits = deps.limits ?? STORE_LIMITS;
    this.#nowMs = deps.nowMs ?? Date.now;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async write({ process, record, calls, parts, wanted }: StatsReport): Promise<WriteResult> {
    const now = this.#nowMs();
    this.#processes.set(process, { text: record, atMs: now });
    for (const [minute, text] of calls) {
      const processes = this.#calls.get(minute) ?? new Map();
      this.#calls.set(minute, processes.set(process, text));
    }
    for (const { traceId, text } of parts) this.#append(traceId, text, now);
    for (const id of wanted) this.#wanted.set(id, now);
    this.#expire(now);
    return { nowUs: now * 1000, wanted: [...this.#wanted.keys()], traces: this.#traces.size, bytes: this.#bytes };
  }

  async trace(id: string): Promise<StoredTrace> {
    return read(id, this.#traces.get(id)?.texts ?? []);
  }

  async *traces(): AsyncIterable<readonly StoredTrace[]> {
    const all = [...this.#traces].reverse();
    for (let i = 0; i < all.length; i += TRACE_BATCH_SIZE) {
      yield all.slice(i, i + TRACE_BATCH_SIZE).map(([id, { texts }]) => read(id, texts));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async processes(): Promise<readonly ProcessRecord[]> {
    this.#expire(this.#nowMs());
    return [...this.#processes.values()].map(({ text }) => parseProcess(text)).filter((record) => record !== undefined);
  }

  async wantTopics(search: string): Promise<void> {
    this.#wanted.set(WANTED_TOPICS + search, this.#nowMs());
  }

  async calls(): Promise<readonly MinuteOfCalls[]> {
    this.#expire(this.#nowMs());
    return [...this.#calls]
      .sort(([one], [other]) => one - other)
      .map(([minute, processes]) => ({ minute, calls: [...processes.values()].flatMap(parseCalls) }));
  }

  async endSession(id: string, leftMs: number): Promise<void> {
    this.#endedSessions.set(id, this.#nowMs() + leftMs);
  }

  async hasSessionEnded(id: string): Promise<boolean> {
    return this.#endedSessions.has(id);
  }

  #append(id: string, text: string, now: number): void {
    const entry = this.#traces.get(id) ?? { atMs: now, texts: [], bytes: 0 };
    if (entry.bytes + text.length > this.#limits.maxTraceBytes) return;
    entry.texts.push(text);
    entry.bytes += text.length;
    this.#bytes += text.length;
    this.#traces.set(id, entry);
  }

  #expire(now: number): void {
    for (const [id, { atMs, bytes }] of this.#traces) {
      const tooMany = this.#traces.size > this.#limits.maxTraces || this.#bytes > this.#limits.maxBytes;
      if (!tooMany && now - atMs < this.#limits.maxAgeMs) break;
      this.#traces.delete(id);
      this.#bytes -= bytes;
    }
    for (const [id, { atMs }] of this.#processes)
      if (now - atMs > this.#limits.processTtlMs) this.#processes.delete(id);
    for (const [id, untilMs] of this.#endedSessions) if (now > untilMs) this.#endedSessions.delete(id);
    for (const minute of this.#calls.keys()) {
      if (minute <= now / 60_000 - CALL_WINDOW_MINUTES) this.#calls.delete(minute);
    }
    for (const [id, atMs] of this.#wanted) {
      if (this.#wanted.size > this.#limits.maxWanted || now - atMs > this.#limits.wantedTtlMs) this.#wanted.delete(id);
    }
  }
}

function read(id: string, texts: readonly string[]): StoredTrace {
  return { id, parts: texts.map(parsePart).filter((part) => part !== undefined) };
}
