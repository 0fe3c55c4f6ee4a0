import type { AttributeValue, ProcessRecord, StoredTrace } from '../store/records.ts';
import { type AlignedSpan, alignSpans, skewOf, summarize, type TraceSummary } from './summary.ts';

/** A span as a bar. Times are in microseconds after the beginning of the trace. */
export interface TimelineRow {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  /** How deep it is within its lane. */
  readonly depth: number;
  readonly afterUs: number;
  readonly durationUs: number;
  readonly error: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** What one service of one process did. */
export interface TimelineLane {
  readonly service: string;
  readonly process: string;
  /** Its machine and process number; empty where that is not known any more. */
  readonly where: string;
  /** How far its clock is behind the store's, and how sure that is; null where unknown. */
  readonly skewUs: number | null;
  readonly uncertainUs: number;
  readonly rows: readonly TimelineRow[];
}

/** A trace as a waterfall, on one clock. */
export interface Timeline extends TraceSummary {
  readonly lanes: readonly TimelineLane[];
}

/** Lays a trace out, lanes and rows in the order of their beginnings; undefined where nothing of it can be read. */
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

/** The spans of a lane as a tree that is written down: each followed by its parts. */
function toRows(spans: readonly AlignedSpan[], startUs: number): readonly TimelineRow[] {
  const known = new Set(spans.map(({ id }) => id));
  const rows: TimelineRow[] = [];
  const write = (span: AlignedSpan, depth: number): void => {
    const { id, name, kind, atUs, durationUs, error, attributes } = span;
    rows.push({ id, name, kind, depth, afterUs: atUs - startUs, durationUs, error, attributes });
    known.delete(id); // a circle of parents, made by whoever, has an end
    for (const part of spans) if (part.parent === id && known.has(part.id)) write(part, depth + 1);
  };
  for (const span of spans) if (!spans.some(({ id }) => id === span.parent)) write(span, 0);
  for (const span of spans) if (known.has(span.id)) write(span, 0);
  return rows;
}

/** Round times for an axis of this length, in microseconds: 3 to 6 of them, beginning with 0. */
export function axisTicks(lengthUs: number): readonly number[] {
  const rough = Math.max(1, lengthUs / 5);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const ticks: number[] = [];
  for (let at = 0; at <= lengthUs && ticks.length < 7; at += step) ticks.push(at);
  return ticks;
}
