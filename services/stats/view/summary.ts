import type { SpanRecord, StoredTrace, TracePart } from '../store/records.ts';

/** A span on the store's clock, with who did it. */
export interface AlignedSpan extends SpanRecord {
  readonly process: string;
  /** When it began by the store's clock, in microseconds since 1970. */
  readonly atUs: number;
}

/** A trace in short. Times are in microseconds, by the store's clock. */
export interface TraceSummary {
  readonly id: string;
  /** What it began with. */
  readonly name: string;
  readonly service: string;
  readonly topic: string;
  readonly path: string;
  readonly startUs: number;
  /** How long its beginning took: what a caller has waited for. */
  readonly durationUs: number;
  /** From its beginning to the end of all that is known of it. */
  readonly wholeUs: number;
  /** From its beginning until the last relay had handed the update over; null where none has. */
  readonly toldUs: number | null;
  /** Why it failed, or a part of it; empty where nothing did. */
  readonly error: string;
  /** How many relays have handed the update over, and to how many clients. */
  readonly relays: number;
  readonly clients: number;
  readonly spans: number;
}

/** What relays record of an update. */
export const DELIVER = 'deliver';

/** How far a process' clock is behind the store's: the best that its parts of a trace know. */
export function skewOf(parts: readonly TracePart[], process: string): TracePart | undefined {
  const known = parts.filter((part) => part.process === process && part.skewUs !== null);
  return known.sort((one, other) => one.uncertainUs - other.uncertainUs)[0];
}

/** All spans of a trace on one clock, the earliest first; one that came twice counts once. */
export function alignSpans({ parts }: StoredTrace): readonly AlignedSpan[] {
  const placed = new Map<string, AlignedSpan>();
  for (const { process, spans } of parts) {
    const skewUs = skewOf(parts, process)?.skewUs ?? 0;
    for (const span of spans) placed.set(span.id, { ...span, process, atUs: span.startUs + skewUs });
  }
  return [...placed.values()].sort((one, other) => one.atUs - other.atUs || other.durationUs - one.durationUs);
}

/** Sums a trace up; undefined where nothing of it can be read. */
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
    relays: new Set(delivered.map(({ process }) => process)).size,
    clients: delivered.reduce((sum, { attributes }) => sum + (Number(attributes.clients) || 0), 0),
    spans: spans.length,
  };
}

function endOf(spans: readonly AlignedSpan[]): number {
  return spans.reduce((latest, { atUs, durationUs }) => Math.max(latest, atUs + durationUs), 0);
}
