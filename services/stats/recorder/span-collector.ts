import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { KEPT, REFUSED } from '../../shared/trace/service-stats.ts';
import type { SpanRecord } from '../store/records.ts';
import type { CallCounts } from './call-counts.ts';
import { type LightSpan, type LightTrace, newTraceId } from './light-span.ts';
import type { Slowest } from './slowest.ts';
import { errorOf, kindOf, lightToRecord, toMs, toRecord } from './span-record.ts';

/** Most traces that are remembered, so that late spans get the same decision as the rest. */
const MAX_TRACES = 500;
const MAX_SPANS_OF_TRACE = 200;
/** Most traces kept per second, for any reason. */
const MAX_KEPT_PER_SECOND = 200;
/**
 * Most unsampled traces recorded per second, of which the slowest are kept: enough to find slow calls, at well below 1 %
 * of the time of a busy process.
 */
const MAX_LIGHT_PER_SECOND = 30;

/** Reason why a trace is kept; also a label of `stats_traces_kept_total`. */
export type KeepReason = 'sample' | 'slow' | 'error' | 'refused' | 'wanted';

/** Events of the collector, for metrics. */
export interface CollectorReport {
  spanRecorded(): void;
  spansDropped(count: number, reason: 'limit' | 'store'): void;
  traceKept(reason: KeepReason): void;
}

interface CollectorDeps {
  readonly counts: CallCounts;
  readonly slowest: Slowest;
  readonly report: CollectorReport;
  readonly keep: (traceId: string, spans: readonly SpanRecord[]) => void;
  readonly monotonicMs: () => number;
}

/**
 * Decides, when a request of this process ends, whether to keep its trace: if it is a sample, has failed, was refused, or is
 * among the slowest of its kind. Until then, and as long as the trace is remembered, its spans wait.
 */
export class SpanCollector implements SpanProcessor {
  readonly #deps: CollectorDeps;
  readonly #uncounted = new Set<string>();
  /** Traces whose id other processes may know, including samples; oldest first. */
  readonly #traces = new Map<string, CollectedTrace>();
  #wanted: string[] = [];
  #second = 0;
  #keptThisSecond = 0;
  #lightThisSecond = 0;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  /** Excludes the spans of a service from the counts, because the service counts by itself. */
  doNotCount(service: string): void {
    this.#uncounted.add(service);
  }

  /** Returns the traces that other processes should keep too, added since the last call. */
  takeWanted(): readonly string[] {
    const wanted = this.#wanted;
    this.#wanted = [];
    return wanted;
  }

  /** Keeps a trace that another process keeps, if it is still remembered. */
  want(traceId: string): void {
    const known = this.#traces.get(traceId);
    if (known && !known.kept) this.#keepTrace(known, 'wanted');
  }

  /** Returns the trace for an unsampled span; undefined if the limit of this second is reached. */
  lightTrace(id: string | undefined): CollectedTrace | undefined {
    this.#startSecond();
    this.#lightThisSecond += 1;
    return this.#lightThisSecond > MAX_LIGHT_PER_SECOND ? undefined : this.#traceOf(id);
  }

  /** Returns the trace with this id, or a new one. */
  #traceOf(id: string | undefined): CollectedTrace {
    const known = id === undefined ? undefined : this.#traces.get(id);
    if (known) return known;
    const begun = new CollectedTrace(this, id);
    if (id !== undefined) this.remember(begun);
    return begun;
  }

  onStart(): void {}

  /** Receives an ended span of a sample. */
  onEnd(span: ReadableSpan): void {
    this.#deps.report.spanRecorded();
    const service = span.instrumentationScope.name;
    this.#count(service, span, toMs(span.duration), errorOf(span) !== '');
    const known = this.#traceOf(span.spanContext().traceId);
    if (known.kept || this.#keepTrace(known, 'sample')) this.#deps.keep(known.id, [toRecord(span)]);
    else this.#deps.report.spansDropped(1, 'limit');
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}

  /** Receives an ended light span. */
  lightEnded(ended: CollectedTrace, span: LightSpan): void {
    this.#deps.report.spanRecorded();
    this.#count(span.service, span, span.endMs - span.startMs, span.error !== '');
    if (ended.kept) {
      this.#deps.keep(ended.id, [lightToRecord(span)]);
      return;
    }
    if (ended.waiting.length < MAX_SPANS_OF_TRACE) ended.waiting.push(span);
    else this.#deps.report.spansDropped(1, 'limit');
    if (!span.isRoot) return;
    const reason = this.#reasonToKeep(span);
    if (reason === 'slow') this.#wanted.push(ended.id);
    if (reason !== undefined) this.#keepTrace(ended, reason);
  }

  #count(service: string, span: Pick<LightSpan, 'name' | 'kind' | 'attributes'>, ms: number, failed: boolean): void {
    if (this.#uncounted.has(service)) return;
    const refusal = String(span.attributes[REFUSED] ?? '');
    this.#deps.counts.count(service, span.name, kindOf(span), ms, failed, refusal);
  }

  #reasonToKeep(root: LightSpan): KeepReason | undefined {
    const { slowest } = this.#deps;
    const kind = `${root.service} ${root.name}`;
    if (root.error !== '' && slowest.take(`failed ${kind}`, 0)) return 'error';
    if (root.attributes[REFUSED] !== undefined && slowest.take(`refused ${kind}`, 0)) return 'refused';
    const decided = root.attributes[KEPT]; // by the service itself
    if (decided !== undefined) return decided === 'wanted' ? 'wanted' : 'slow';
    return slowest.take(kind, root.endMs - root.startMs) ? 'slow' : undefined;
  }

  #keepTrace(known: CollectedTrace, reason: KeepReason): boolean {
    const { report, keep } = this.#deps;
    this.#startSecond();
    this.#keptThisSecond += 1;
    const spans = known.waiting;
    known.waiting = [];
    if (this.#keptThisSecond > MAX_KEPT_PER_SECOND) {
      report.spansDropped(spans.length, 'limit');
      return false;
    }
    known.kept = true;
    report.traceKept(reason);
    keep(known.id, spans.map(lightToRecord));
    return true;
  }

  #startSecond(): void {
    const second = Math.floor(this.#deps.monotonicMs() / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#keptThisSecond = 0;
    this.#lightThisSecond = 0;
  }

  /** Remembers a trace; forgets the oldest one if there are too many. */
  remember(known: CollectedTrace): void {
    this.#traces.set(known.id, known);
    if (this.#traces.size <= MAX_TRACES) return;
    for (const oldest of this.#traces.keys()) {
      this.#traces.delete(oldest);
      break;
    }
  }
}

/** The spans of this process in a trace, until the trace is kept. */
class CollectedTrace implements LightTrace {
  readonly #collector: SpanCollector;
  #id: string | undefined;
  waiting: LightSpan[] = [];
  kept = false;

  constructor(collector: SpanCollector, id: string | undefined) {
    this.#collector = collector;
    this.#id = id;
  }

  /** A trace can be known to other processes only once its id is used, so it is remembered from then on. */
  get id(): string {
    if (this.#id === undefined) {
      this.#id = newTraceId();
      this.#collector.remember(this);
    }
    return this.#id;
  }

  ended(span: LightSpan): void {
    this.#collector.lightEnded(this, span);
  }
}
