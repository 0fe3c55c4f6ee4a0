import { REFUSED } from '../../shared/trace/service-stats.ts';
import type { SpanRecord, StoredTrace, TracePart } from '../store/records.ts';

/** A span with its process, and its start by the store's clock. */
export interface AlignedSpan extends SpanRecord {
  readonly process: string;
  /** Start by the store's clock, in microseconds since 1970. */
  readonly atUs: number;
}

/** Summary of a trace. Times are in microseconds, by the store's clock. */
export interface TraceSummary {
  readonly id: string;
  /** Name of the root span. */
  readonly name: string;
  readonly service: string;
  readonly topic: string;
  readonly path: string;
  readonly startUs: number;
  /** Duration of the root span: the time until the caller had the answer. */
  readonly durationUs: number;
  /** From the start of the root span to the end of the last span. */
  readonly wholeUs: number;
  /** From the start of the root span until the last relay had delivered the update; null if none has. */
  readonly toldUs: number | null;
  /** Error code of the first failed span; empty if none failed. */
  readonly error: string;
  /** Status and error code of the first refused request, such as `401 unauthorized`; empty if none was refused. */
  readonly refused: string;
  /** Number of relays that have delivered the update, and of their clients. */
  readonly relays: number;
  readonly clients: number;
  readonly spans: number;
}

/** Name of the span in which a relay delivers an update. */
export const DELIVER = 'deliver';

/** Returns the part of a process with the most certain clock skew; undefined if it is unknown. */
export function skewOf(parts: readonly TracePart[], process: string): TracePart | undefined {
  const known = parts.filter((part) => part.process === process && part.skewUs !== null);
  return known.sort((one, other) => one.uncertainUs - other.uncertainUs)[0];
}

/** Returns all spans of a trace on the store's clock, earliest first, each span once. */
export function alignSpans({ parts }: StoredTrace): readonly AlignedSpan[] {
  const aligned = new Map<string, AlignedSpan>();
  for (const { process, spans } of parts) {
    const skewUs = skewOf(parts, process)?.skewUs ?? 0;
    for (const span of spans) aligned.set(span.id, { ...span, process, atUs: span.startUs + skewUs });
  }
  return [...aligned.values()].sort((one, other) => one.atUs - other.atUs || other.durationUs - one.durationUs);
}

/** Summarizes a trace; returns undefined if it has no valid span. */
export function summarize(trace: StoredTrace): TraceSummary | undefined {
  const spans = alignSpans(trace);
  const known = new Set(spans.map(({ id }) => id));
  const first = spans.find(({ parent }) => !known.has(parent));
  if (!first) return undefined;
  const delivered = spans.filter(({ name, kind }) => name === DELIVER && kind === 'consumer');
  const end = endOf(spans);
  const attribute = (name: string) =>
    String(spans.find(({ attributes }) => name in attributes)?.attributes[name] ?? '');
  return {
    id: trace.id,
    name: first.name,
    service: first.service,
    topic: attribute('topic'),
    path: attribute('url.path'),
    startUs: first.atUs,
    durationUs: first.durationUs,
    wholeUs: end - first.atUs,
    toldUs: delivered.length > 0 ? endOf(delivered) - first.atUs : null,
    error: spans.find(({ error }) => error !== '')?.error ?? '',
    refused: attribute(REFUSED),
    relays: new Set(delivered.map(({ process }) => process)).size,
    clients: delivered.reduce((sum, { attributes }) => sum + (Number(attributes.clients) || 0), 0),
    spans: spans.length,
  };
}

function endOf(spans: readonly AlignedSpan[]): number {
  return spans.reduce((latest, { atUs, durationUs }) => Math.max(latest, atUs + durationUs), 0);
}
