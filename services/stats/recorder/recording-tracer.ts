import {
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  type Span,
  type SpanOptions,
  type TimeInput,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { EpochClock } from './epoch-clock.ts';
import { LightSpan, type LightTrace } from './light-span.ts';

/** Span of work that is not recorded. */
const NOT_RECORDED = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

/**
 * A tracer that records samples as SDK spans and everything else as light spans. Times have microseconds, and may be
 * given by the monotonic clock (`performance.now`).
 */
export class RecordingTracer implements Tracer {
  readonly #service: string;
  readonly #samples: Tracer;
  readonly #isSample: () => boolean;
  readonly #traceOf: (id: string | undefined) => LightTrace | undefined;
  readonly #clock: EpochClock;
  readonly #endAt = (time: unknown) => this.#timeOf(time as TimeInput | undefined) as number;

  /**
   * @param deps.samples creates the spans of samples
   * @param deps.isSample decides for a trace that no other process has decided about
   * @param deps.traceOf returns the trace of an unsampled span; undefined if it shall not be recorded
   */
  constructor(deps: {
    service: string;
    samples: Tracer;
    isSample: () => boolean;
    traceOf: (id: string | undefined) => LightTrace | undefined;
    clock: EpochClock;
  }) {
    this.#service = deps.service;
    this.#samples = deps.samples;
    this.#isSample = deps.isSample;
    this.#traceOf = deps.traceOf;
    this.#clock = deps.clock;
  }

  startSpan(name: string, options: SpanOptions = {}, parentContext: Context = context.active()): Span {
    const parent = options.root ? undefined : trace.getSpan(parentContext);
    if (parent instanceof LightSpan) return this.#startLight(name, options, parent.trace, parent);
    const remote = parent?.spanContext();
    if (remote && !isSpanContextValid(remote)) return NOT_RECORDED; // the parent is not recorded
    const isSample = remote ? (remote.traceFlags & TraceFlags.SAMPLED) !== 0 : this.#isSample();
    if (!isSample) {
      const light = this.#traceOf(remote?.traceId);
      return light ? this.#startLight(name, options, light, remote) : NOT_RECORDED;
    }
    const startTime = this.#timeOf(options.startTime);
    const span = this.#samples.startSpan(name, { ...options, startTime }, parentContext);
    const end = span.end;
    span.end = (time) => end.call(span, this.#timeOf(time));
    return span;
  }

  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    ...rest: [F] | [SpanOptions, F] | [SpanOptions, Context, F]
  ): ReturnType<F> {
    const work = rest.at(-1) as F;
    const options = (rest.length > 1 ? rest[0] : {}) as SpanOptions;
    const parent = rest.length > 2 ? (rest[1] as Context) : context.active();
    const span = this.startSpan(name, options, parent);
    return context.with(trace.setSpan(parent, span), () => work(span)) as ReturnType<F>;
  }

  #startLight(name: string, options: SpanOptions, lightTrace: LightTrace, parent: LightSpan['parent']): LightSpan {
    return new LightSpan({
      service: this.#service,
      name,
      kind: options.kind,
      attributes: options.attributes,
      startMs: this.#timeOf(options.startTime) as number,
      trace: lightTrace,
      parent,
      endAt: this.#endAt,
    });
  }

  #timeOf(time: TimeInput | undefined): TimeInput {
    if (time === undefined) return this.#clock.nowMs();
    if (typeof time === 'number') return time <= performance.now() ? this.#clock.at(time) : time;
    return time instanceof Date ? time.getTime() : time[0] * 1000 + time[1] / 1_000_000;
  }
}
