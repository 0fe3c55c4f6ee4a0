/** The span kinds of OpenTelemetry, in the order of its `SpanKind`. */
export const SPAN_KINDS = ['internal', 'server', 'client', 'producer', 'consumer'] as const;

export type SpanKindName = (typeof SPAN_KINDS)[number];

/** Longest name of a stored span. */
export const MAX_SPAN_NAME = 100;

/** Value of an attribute. */
export type AttributeValue = string | number | boolean;

/** A stored span. Times are by the clock of the recording process, in microseconds since 1970. */
export interface SpanRecord {
  readonly id: string;
  /** Id of the parent span; empty if there is none. */
  readonly parent: string;
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKindName;
  readonly startUs: number;
  readonly durationUs: number;
  /** Error code; empty if it did not fail. */
  readonly error: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Spans of one process in a trace, written by one report. */
export interface TracePart {
  readonly process: string;
  /** How far the store's clock is ahead of the process's, in microseconds; null if unknown. */
  readonly skewUs: number | null;
  /** Uncertainty of `skewUs`, in microseconds. */
  readonly uncertainUs: number;
  readonly spans: readonly SpanRecord[];
}

/** The stored parts of a trace. */
export interface StoredTrace {
  readonly id: string;
  readonly parts: readonly TracePart[];
}

/** A topic with subscribers on one relay. */
export interface TopicCount {
  readonly topic: string;
  readonly subscribers: number;
  /** Of its newest update; 0 if there is none. */
  readonly version: number;
}

/** Topics of one relay that contain a text: those with the most subscribers. */
export interface TopicList {
  readonly topics: readonly TopicCount[];
  /** Number of all that contain it. */
  readonly matching: number;
}

/** A process that records; `process` is its random id. */
export interface ProcessRecord {
  readonly process: string;
  readonly services: readonly string[];
  readonly host: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly skewUs: number | null;
  readonly uncertainUs: number;
  /** State of its services, such as `connections` and `fresh`. */
  readonly facts: Readonly<Record<string, AttributeValue>>;
  /** Topics of its relay by the text that they contain, while a page shows them. */
  readonly topicLists: Readonly<Record<string, TopicList>>;
}

/** Counts of one kind of calls of one process, within a minute. */
export interface CallCount {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKindName;
  readonly count: number;
  readonly errors: number;
  /** Number of refused calls by status and error code, such as `401 unauthorized`. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly sumMs: number;
  readonly maxMs: number;
  /** Number of calls by bucket of their duration: see `call-histogram.ts`. */
  readonly buckets: Readonly<Record<string, number>>;
}

/** The calls of all processes within a minute. */
export interface MinuteOfCalls {
  /** Minutes since 1970. */
  readonly minute: number;
  readonly calls: readonly CallCount[];
}
