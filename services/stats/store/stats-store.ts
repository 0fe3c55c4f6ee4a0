import type { MinuteOfCalls, ProcessRecord, StoredTrace } from './records.ts';

/** Limits of a store; the oldest records are dropped first. */
export interface StoreLimits {
  readonly maxTraces: number;
  readonly maxBytes: number;
  readonly maxTraceBytes: number;
  readonly maxAgeMs: number;
  /** How long a process is listed after its last report. */
  readonly processTtlMs: number;
  /** How long a trace stays in the list of wanted ones. */
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

/** Number of traces read at a time, so that reading all does not block the event loop. */
export const TRACE_BATCH_SIZE = 50;

/** Length of the window in which calls are counted, in minutes. */
export const CALL_WINDOW_MINUTES = 15;

/** What begins the id of a wanted list of topics, among the wanted traces; the text that they contain follows. */
export const WANTED_TOPICS = 'topics ';

/** Report of a process to the store. The texts are JSON that `parse-records.ts` can read. */
export interface StatsReport {
  readonly process: string;
  readonly record: string;
  /** Counts by minute since 1970. They replace earlier ones of the same process and minute. */
  readonly calls: ReadonlyMap<number, string>;
  readonly parts: readonly { readonly traceId: string; readonly text: string }[];
  /** Ids of traces whose parts other processes should keep too. */
  readonly wanted: readonly string[];
}

/** Answer of the store to a report. */
export interface WriteResult {
  /** The store's clock, in microseconds since 1970. */
  readonly nowUs: number;
  /** Ids of the traces, and of the lists of topics, that are wanted by any process. */
  readonly wanted: readonly string[];
  /** Number of stored traces, and their size. */
  readonly traces: number;
  readonly bytes: number;
}

/**
 * Stores the records of all processes within its limits. Every method except `start` and `stop` rejects while the store
 * cannot be reached.
 */
export interface StatsStore {
  /** Never rejects: a store that cannot be reached may become available later. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Adds the report, and drops the oldest traces over the limits. */
  write(report: StatsReport): Promise<WriteResult>;
  /** Returns a trace; without parts if it is not stored. */
  trace(id: string): Promise<StoredTrace>;
  /** Yields all traces in batches, newest first, each trace once. */
  traces(): AsyncIterable<readonly StoredTrace[]>;
  /** Returns the processes that have reported recently. */
  processes(): Promise<readonly ProcessRecord[]>;
  /** Lets relays report their topics that contain `search`, for `wantedTtlMs`. */
  wantTopics(search: string): Promise<void>;
  /** Returns the counts of the last minutes, oldest first. */
  calls(): Promise<readonly MinuteOfCalls[]>;
  /** Ends a login to the pages on every process, until it would have expired anyway. */
  endSession(id: string, leftMs: number): Promise<void>;
  hasSessionEnded(id: string): Promise<boolean>;
}
