import type { MinuteOfCalls, ProcessRecord, StoredTrace } from './records.ts';

/** How much a store keeps, and for how long; the oldest goes first. */
export interface StoreLimits {
  readonly maxTraces: number;
  readonly maxBytes: number;
  readonly maxTraceBytes: number;
  readonly maxAgeMs: number;
  /** For how long a process is there that says nothing. */
  readonly processTtlMs: number;
  /** For how long processes that have quick parts of a trace are asked for them, where another part was slow. */
  readonly wantedTtlMs: number;
  readonly maxWanted: number;
}

export const STORE_LIMITS: StoreLimits = {
  maxTraces: 1000,
  maxBytes: 8 * 1024 * 1024,
  maxTraceBytes: 256 * 1024,
  maxAgeMs: 3_600_000,
  processTtlMs: 15_000,
  wantedTtlMs: 15_000,
  maxWanted: 100,
};

/** Traces that are read at a time, so that reading many holds up nothing else. */
export const TRACE_BATCH_SIZE = 50;

/** For how long calls are counted. */
export const CALL_WINDOW_MINUTES = 15;

/** What a process tells the store, once in a while. The texts are JSON, as `parse-records.ts` reads it. */
export interface StatsReport {
  readonly process: string;
  readonly record: string;
  /** The calls of this minute so far, and of the one before where it was not told whole; empty for none. */
  readonly calls: ReadonlyMap<number, string>;
  readonly parts: readonly { readonly traceId: string; readonly text: string }[];
  /** Traces that are worth keeping whole, though nobody's sample. */
  readonly wanted: readonly string[];
}

/** What the store answers. */
export interface WriteResult {
  /** The store's clock, in microseconds since 1970. */
  readonly nowUs: number;
  /** What others want to have whole. */
  readonly wanted: readonly string[];
  readonly traces: number;
  readonly bytes: number;
}

/**
 * Keeps what processes have recorded, for a while and never more than its limits, for all of them to show. Whatever
 * it is asked fails while it cannot be reached: then that is not kept, or not shown.
 */
export interface StatsStore {
  /** Never fails: a store that cannot be reached may come back. */
  start(): Promise<void>;
  stop(): Promise<void>;
  write(report: StatsReport): Promise<WriteResult>;
  /** All that is kept of a trace; without parts where there is nothing. */
  trace(id: string): Promise<StoredTrace>;
  /** All traces, the newest first, some at a time. */
  traces(): AsyncIterable<readonly StoredTrace[]>;
  processes(): Promise<readonly ProcessRecord[]>;
  /** The last minutes, the oldest first. */
  calls(): Promise<readonly MinuteOfCalls[]>;
}
