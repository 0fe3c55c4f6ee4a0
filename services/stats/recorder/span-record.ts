import { type Attributes, type HrTime, type SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import {
  type AttributeValue,
  MAX_SPAN_NAME,
  SPAN_KINDS,
  type SpanKindName,
  type SpanRecord,
} from '../store/records.ts';
import type { LightSpan } from './light-span.ts';

const MAX_VALUE = 300;
const MAX_ATTRIBUTES = 24;

/** Converts an SDK span to a record of bounded size. */
export function toRecord(span: ReadableSpan): SpanRecord {
  return bounded({
    id: span.spanContext().spanId,
    parent: span.parentSpanContext?.spanId ?? '',
    service: span.instrumentationScope.name,
    name: span.name,
    kind: kindOf(span),
    startMs: toMs(span.startTime),
    durationMs: toMs(span.duration),
    error: errorOf(span),
    attributes: span.attributes,
  });
}

/** Converts a light span to a record of bounded size. */
export function lightToRecord(span: LightSpan): SpanRecord {
  const { id, parentId: parent, service, name, startMs, endMs, error, attributes } = span;
  const durationMs = endMs - startMs;
  return bounded({ id, parent, service, name, kind: kindOf(span), startMs, durationMs, error, attributes });
}

/** Returns the name of a span's kind. */
export function kindOf({ kind }: { readonly kind: SpanKind }): SpanKindName {
  return SPAN_KINDS[kind] ?? 'internal';
}

/** Returns why a span failed; empty if it did not. */
export function errorOf({ status }: ReadableSpan): string {
  return status.code === SpanStatusCode.ERROR ? status.message || 'failed' : '';
}

/** Converts a time of OpenTelemetry's SDK to milliseconds. */
export function toMs([seconds, nanoseconds]: HrTime): number {
  return seconds * 1000 + nanoseconds / 1_000_000;
}

function bounded(span: {
  id: string;
  parent: string;
  service: string;
  name: string;
  kind: SpanKindName;
  startMs: number;
  durationMs: number;
  error: string;
  attributes: Attributes;
}): SpanRecord {
  const attributes = Object.entries(span.attributes)
    .slice(0, MAX_ATTRIBUTES)
    .map(([key, value]) => [key.slice(0, MAX_SPAN_NAME), toValue(value)]);
  return {
    id: span.id,
    parent: span.parent,
    service: span.service.slice(0, MAX_SPAN_NAME),
    name: span.name.slice(0, MAX_SPAN_NAME),
    kind: span.kind,
    startUs: Math.round(span.startMs * 1000),
    durationUs: Math.round(span.durationMs * 1000),
    error: span.error.slice(0, MAX_VALUE),
    attributes: Object.fromEntries(attributes),
  };
}

function toValue(value: unknown): AttributeValue {
  return typeof value === 'number' || typeof value === 'boolean' ? value : String(value).slice(0, MAX_VALUE);
}
