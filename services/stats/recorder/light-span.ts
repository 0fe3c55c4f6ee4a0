import {
  type Attributes,
  type AttributeValue,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api';
import { RandomIdGenerator } from '@opentelemetry/sdk-trace';

const ids = new RandomIdGenerator();
const NO_ATTRIBUTES: Attributes = Object.freeze({});

/** The trace that a light span belongs to. */
export interface LightTrace {
  /** 32 hexadecimal digits; generated on first use. */
  readonly id: string;
  /** Called when a span has ended. */
  ended(span: LightSpan): void;
}

/** Properties of a new light span. */
export interface LightSpanStart {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind | undefined;
  readonly attributes: Attributes | undefined;
  readonly startMs: number;
  readonly trace: LightTrace;
  readonly parent: LightSpan | SpanContext | undefined;
  /** Converts the argument of `end` to milliseconds since 1970. */
  readonly endAt: (time: unknown) => number;
}

/**
 * A span that is not sampled. Nearly all of them are discarded, so it costs a fraction of an SDK span: its id is
 * generated on first use, and it has no limits of its own.
 */
export class LightSpan implements Span {
  readonly service: string;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly trace: LightTrace;
  readonly parent: LightSpan | SpanContext | undefined;
  attributes: Attributes;
  readonly #endAt: (time: unknown) => number;
  name: string;
  endMs = 0;
  error = '';
  #id: string | undefined;

  constructor(start: LightSpanStart) {
    this.service = start.service;
    this.name = start.name;
    this.kind = start.kind ?? SpanKind.INTERNAL;
    this.attributes = start.attributes ?? NO_ATTRIBUTES;
    this.startMs = start.startMs;
    this.trace = start.trace;
    this.parent = start.parent;
    this.#endAt = start.endAt;
  }

  /** Whether its parent is not in this process. */
  get isRoot(): boolean {
    return !(this.parent instanceof LightSpan);
  }

  get id(): string {
    this.#id ??= ids.generateSpanId();
    return this.#id;
  }

  get parentId(): string {
    if (this.parent instanceof LightSpan) return this.parent.id;
    return this.parent?.spanId ?? '';
  }

  spanContext(): SpanContext {
    return { traceId: this.trace.id, spanId: this.id, traceFlags: TraceFlags.NONE };
  }

  setAttribute(key: string, value: AttributeValue): this {
    return this.setAttributes({ [key]: value });
  }

  setAttributes(attributes: Attributes): this {
    // Copied: the object belongs to the caller.
    this.attributes = this.attributes === NO_ATTRIBUTES ? attributes : { ...this.attributes, ...attributes };
    return this;
  }

  setStatus({ code, message }: SpanStatus): this {
    this.error = code === SpanStatusCode.ERROR ? message || 'failed' : '';
    return this;
  }

  updateName(name: string): this {
    this.name = name;
    return this;
  }

  end(time?: unknown): void {
    if (this.endMs > 0) return;
    this.endMs = Math.max(this.startMs, this.#endAt(time));
    this.trace.ended(this);
  }

  isRecording(): boolean {
    return this.endMs === 0;
  }

  // Events, links and exceptions are not shown on the pages.
  addEvent(): this {
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  recordException(): void {}
}

/** Generates a trace id: 32 hexadecimal digits (W3C Trace Context). */
export function newTraceId(): string {
  return ids.generateTraceId();
}
