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

/** What a light span tells when it has ended. */
export interface LightTrace {
  /** Its name, given when somebody first asks for it. */
  readonly id: string;
  ended(span: LightSpan): void;
}

/** What a light span begins with. */
export interface LightSpanStart {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind | undefined;
  readonly attributes: Attributes | undefined;
  readonly startMs: number;
  readonly trace: LightTrace;
  readonly parent: LightSpan | SpanContext | undefined;
  /** The time of day, where `end` is not told it. */
  readonly endAt: (time: unknown) => number;
}

/**
 * A span of what is no sample. There is one for nearly everything that is done, and nearly all are thrown away: so it
 * costs a fraction of one of the SDK, has no name of its own until somebody asks, and no limits but its trace's.
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

  /** Whether it is no part of another span of this process. */
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
    // Never written into: they are their giver's.
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

  // Neither is shown on our pages, so neither is kept.
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

/** Makes the id of a trace: 32 hexadecimal digits, as W3C Trace Context wants. */
export function newTraceId(): string {
  return ids.generateTraceId();
}
