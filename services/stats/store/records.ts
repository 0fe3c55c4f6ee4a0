/** The kinds of spans, in the words of OpenTelemetry. */
export const SPAN_KINDS = ['internal', 'server', 'client', 'producer', 'consumer'] as const;

export type SpanKindName = (typeof SPAN_KINDS)[number];

/** What one value of an attribute may be. */
export type AttributeValue = string | number | boolean;

/** Something that took time, as it is kept. Times are those of the process that did it, in microseconds since 1970. */
export interface SpanRecord {
  readonly id: string;
  /** The span that it is a part of; empty where there is none. */
  readonly parent: string;
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKindName;
  readonly startUs: number;
  readonly durationUs: number;
  /** Why it failed; empty where it did not. */
  readonly error: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** What one process did of a trace. */
export interface TracePart {
  readonly process: string;
  /** How far the store's clock is ahead of the process', in microseconds, and how sure that is; null where unknown. */
  readonly skewUs: number | null;
  readonly uncertainUs: number;
  readonly spans: readonly SpanRecord[];
}

/** A trace, as far as it is kept. */
export interface StoredTrace {
  readonly id: string;
  readonly parts: readonly TracePart[];
}

/** A process that records. */
export interface ProcessRecord {
  readonly process: string;
  readonly services: readonly string[];
  readonly host: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly skewUs: number | null;
  readonly uncertainUs: number;
  /** What its services say of themselves, such as `connections` and `fresh`. */
  readonly facts: Readonly<Record<string, AttributeValue>>;
}

/** Calls of one kind, within a minute. */
export interface CallCount {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKindName;
  readonly count: number;
  readonly errors: number;
  readonly sumMs: number;
  readonly maxMs: number;
  /** How many calls took how long: see `call-histogram.ts`. */
  readonly buckets: Readonly<Record<string, number>>;
}

/** The calls of all processes within a minute. */
export interface MinuteOfCalls {
  /** Minutes since 1970. */
  readonly minute: number;
  readonly calls: readonly CallCount[];
}
