import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { KEPT } from '../../shared/trace/service-stats.ts';
import type { SpanRecord } from '../store/records.ts';
import type { CallCounts } from './call-counts.ts';
import { type LightSpan, type LightTrace, newTraceId } from './light-span.ts';
import type { Slowest } from './slowest.ts';
import { errorOf, kindOf, lightToRecord, toMs, toRecord } from './span-record.ts';

/** Traces that are remembered, so that what comes late can be judged as the rest was. */
const MAX_TRACES = 500;
const MAX_SPANS_OF_TRACE = 200;
/** Traces a second that are kept at most, whoever asks for it. */
const MAX_KEPT_PER_SECOND = 200;
/**
 * Traces a second that are recorded though they are no sample, so that the slowest of them can be kept: enough to find
 * what is slow, and however busy a process is, it takes well below a hundredth of its time.
 */
const MAX_LIGHT_PER_SECOND = 30;

/** Why a trace is kept. */
export type KeepReason = 'sample' | 'slow' | 'error' | 'wanted';

/** What a collector reports, for metrics. */
export interface CollectorReport {
  spanRecorded(): void;
  spansDropped(count: number, why: 'limit' | 'store'): void;
  traceKept(why: KeepReason): void;
}

interface CollectorDeps {
  readonly counts: CallCounts;
  readonly slowest: Slowest;
  readonly report: CollectorReport;
  readonly keep: (traceId: string, spans: readonly SpanRecord[]) => void;
  readonly monotonicMs: () => number;
}

/**
 * Judges, whenever a request of this process ends, whether its trace is worth keeping: it is where it is a sample, has
 * failed, or is among the slowest of its kind. Until then, and a while longer, its spans wait.
 */
export class SpanCollector implements SpanProcessor {
  readonly #deps: CollectorDeps;
  readonly #countThemselves = new Set<string>();
  /** Traces that somebody else may know of, those of samples among them. */
  readonly #traces = new Map<string, CollectedTrace>();
  #wanted: string[] = [];
  #second = 0;
  #keptThisSecond = 0;
  #lightThisSecond = 0;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  /** The spans of this service are not counted: it counts by hand. */
  doNotCount(service: string): void {
    this.#countThemselves.add(service);
  }

  /** Traces that others should keep too, since the last time. */
  takeWanted(): readonly string[] {
    const wanted = this.#wanted;
    this.#wanted = [];
    return wanted;
  }

  /** Another process keeps this trace: so does this one, as far as it still has it. */
  want(traceId: string): void {
    const known = this.#traces.get(traceId);
    if (known && !known.kept) this.#keepTrace(known, 'wanted');
  }

  /** Begins to record what is no sample; undefined where that is too much in this second. */
  lightTrace(id: string | undefined): CollectedTrace | undefined {
    this.#lookAtClock();
    this.#lightThisSecond += 1;
    return this.#lightThisSecond > MAX_LIGHT_PER_SECOND ? undefined : this.#traceOf(id);
  }

  /** The trace of this name, or a new one. */
  #traceOf(id: string | undefined): CollectedTrace {
    const known = id === undefined ? undefined : this.#traces.get(id);
    if (known) return known;
    const begun = new CollectedTrace(this, id);
    if (id !== undefined) this.remember(begun);
    return begun;
  }

  onStart(): void {}

  /** A span of a sample has ended. */
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

  /** A span of what is no sample has ended. */
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
    const why = this.#worth(span);
    if (why === 'slow') this.#wanted.push(ended.id);
    if (why !== undefined) this.#keepTrace(ended, why);
  }

  #count(service: string, span: Pick<LightSpan, 'name' | 'kind'>, ms: number, failed: boolean): void {
    if (this.#countThemselves.has(service)) return;
    this.#deps.counts.count(service, span.name, kindOf(span), ms, failed);
  }

  #worth(root: LightSpan): KeepReason | undefined {
    const { slowest } = this.#deps;
    const kind = `${root.service} ${root.name}`;
    if (root.error !== '' && slowest.take(`failed ${kind}`, 0)) return 'error';
    const told = root.attributes[KEPT]; // by who has judged already
    if (told !== undefined) return told === 'wanted' ? 'wanted' : 'slow';
    return slowest.take(kind, root.endMs - root.startMs) ? 'slow' : undefined;
  }

  #keepTrace(known: CollectedTrace, why: KeepReason): boolean {
    const { report, keep } = this.#deps;
    this.#lookAtClock();
    this.#keptThisSecond += 1;
    const spans = known.waiting;
    known.waiting = [];
    if (this.#keptThisSecond > MAX_KEPT_PER_SECOND) {
      report.spansDropped(spans.length, 'limit');
      return false;
    }
    known.kept = true;
    report.traceKept(why);
    keep(known.id, spans.map(lightToRecord));
    return true;
  }

  #lookAtClock(): void {
    const second = Math.floor(this.#deps.monotonicMs() / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#keptThisSecond = 0;
    this.#lightThisSecond = 0;
  }

  /** Those that began first go first, whether they were judged or not. */
  remember(known: CollectedTrace): void {
    this.#traces.set(known.id, known);
    if (this.#traces.size <= MAX_TRACES) return;
    for (const oldest of this.#traces.keys()) {
      this.#traces.delete(oldest);
      break;
    }
  }
}

/** What this process did of a trace, as far as it was no sample. */
class CollectedTrace implements LightTrace {
  readonly #collector: SpanCollector;
  #id: string | undefined;
  waiting: LightSpan[] = [];
  kept = false;

  constructor(collector: SpanCollector, id: string | undefined) {
    this.#collector = collector;
    this.#id = id;
  }

  /** Only what has a name can be known to others. */
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
