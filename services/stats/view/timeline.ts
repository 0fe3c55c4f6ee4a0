import type { AttributeValue, ProcessRecord, StoredTrace } from '../store/records.ts';
import { type AlignedSpan, alignSpans, skewOf, summarize, type TraceSummary } from './summary.ts';

/** A span as a bar of the timeline. Times are in microseconds. */
export interface TimelineRow {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  /** Nesting depth within the lane. */
  readonly depth: number;
  /** Start, after the start of the trace. */
  readonly afterUs: number;
  readonly durationUs: number;
  readonly error: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** The spans of one service in one process. */
export interface TimelineLane {
  readonly service: string;
  readonly process: string;
  /** Host and process id as `host:pid`; empty if the process is no longer listed. */
  readonly where: string;
  /** How far its clock is behind the store's, in microseconds; null if unknown. */
  readonly skewUs: number | null;
  /** Uncertainty of `skewUs`, in microseconds. */
  readonly uncertainUs: number;
  readonly rows: readonly TimelineRow[];
}

/** A trace as a waterfall, on the store's clock. */
export interface Timeline extends TraceSummary {
  readonly lanes: readonly TimelineLane[];
}

/** Creates the timeline of a trace, lanes and rows ordered by start; returns undefined if it has no valid span. */
export function createTimeline(trace: StoredTrace, processes: readonly ProcessRecord[]): Timeline | undefined {
  const summary = summarize(trace);
  if (!summary) return undefined;
  const spans = alignSpans(trace);
  const keyOf = ({ process, service }: AlignedSpan) => `${process} ${service}`;
  const lanes = [...new Set(spans.map(keyOf))].map((key): TimelineLane => {
    const own = spans.filter((span) => keyOf(span) === key);
    const { process = '', service = '' } = own[0] ?? {};
    const record = processes.find((candidate) => candidate.process === process);
    const skew = skewOf(trace.parts, process);
    return {
      service,
      process,
      where: record ? `${record.host}:${record.pid}` : '',
      skewUs: skew?.skewUs ?? null,
      uncertainUs: skew?.uncertainUs ?? 0,
      rows: toRows(own, summary.startUs),
    };
  });
  return { ...summary, lanes };
}

/** Flattens the tree of a lane's spans: each span is followed by its children. */
function toRows(spans: readonly AlignedSpan[], startUs: number): readonly TimelineRow[] {
  const known = new Set(spans.map(({ id }) => id));
  const rows: TimelineRow[] = [];
  const write = (span: AlignedSpan, depth: number): void => {
    const { id, name, kind, atUs, durationUs, error, attributes } = span;
    rows.push({ id, name, kind, depth, afterUs: atUs - startUs, durationUs, error, attributes });
    known.delete(id); // also ends a cycle of parents
    for (const child of spans) if (child.parent === id && known.has(child.id)) write(child, depth + 1);
  };
  for (const span of spans) if (!spans.some(({ id }) => id === span.parent)) write(span, 0);
  for (const span of spans) if (known.has(span.id)) write(span, 0);
  return rows;
}

/** Returns round times for an axis, in microseconds: three to six, starting with 0. */
export function axisTicks(lengthUs: number): readonly number[] {
  const rough = Math.max(1, lengthUs / 5);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const ticks: number[] = [];
  for (let at = 0; at <= lengthUs && ticks.length < 7; at += step) ticks.push(at);
  return ticks;
}
