import {
  type AttributeValue,
  type CallCount,
  type ProcessRecord,
  SPAN_KINDS,
  type SpanKindName,
  type SpanRecord,
  type TopicCount,
  type TopicList,
  type TracePart,
} from './records.ts';

type Fields = Readonly<Record<string, unknown>>;

const BUCKET = /^\d{1,6}$/;
const REFUSAL = /^[45]\d\d(?: [a-z_]{1,40})?$/;

/**
 * Parses the part of a trace that a process has stored. Records may be broken, or written by another version: returns
 * undefined for an invalid part, and leaves out invalid spans.
 */
export function parsePart(text: string): TracePart | undefined {
  const part = parseFields(text);
  if (typeof part?.process !== 'string' || !Array.isArray(part.spans)) return undefined;
  const spans = part.spans.map(parseSpan).filter((span) => span !== undefined);
  return { process: part.process, ...parseSkew(part), spans };
}

/** Parses the record of a process; returns undefined if it is invalid. */
export function parseProcess(text: string): ProcessRecord | undefined {
  const record = parseFields(text);
  if (!record) return undefined;
  const { process, services, host, pid, startedAtMs } = record;
  if (typeof process !== 'string' || typeof host !== 'string' || !isCount(pid) || !isCount(startedAtMs))
    return undefined;
  const names = Array.isArray(services) ? services.filter((name): name is string => typeof name === 'string') : [];
  return {
    process,
    services: names,
    host,
    pid,
    startedAtMs,
    ...parseSkew(record),
    facts: parseAttributes(record.facts),
    topicLists: parseTopicLists(record.topicLists),
  };
}

/** Parses the calls of a process within a minute; leaves out invalid ones. */
export function parseCalls(text: string): readonly CallCount[] {
  let calls: unknown;
  try {
    calls = JSON.parse(text);
  } catch {
    return [];
  }
  return Array.isArray(calls) ? calls.map(parseCall).filter((call) => call !== undefined) : [];
}

function parseSpan(value: unknown): SpanRecord | undefined {
  if (!isObject(value)) return undefined;
  const { id, parent, service, name, kind, startUs, durationUs, error } = value;
  if (typeof id !== 'string' || typeof service !== 'string' || typeof name !== 'string' || !isKind(kind))
    return undefined;
  if (!isCount(startUs) || !isCount(durationUs)) return undefined;
  const texts = { parent: typeof parent === 'string' ? parent : '', error: typeof error === 'string' ? error : '' };
  return { id, service, name, kind, startUs, durationUs, ...texts, attributes: parseAttributes(value.attributes) };
}

function parseCall(value: unknown): CallCount | undefined {
  if (!isObject(value)) return undefined;
  const { service, name, kind, count, errors, sumMs, maxMs } = value;
  if (typeof service !== 'string' || typeof name !== 'string' || !isKind(kind)) return undefined;
  if (!isCount(count) || !isCount(errors) || !isCount(sumMs) || !isCount(maxMs)) return undefined;
  const [buckets, refusals] = [parseCounts(value.buckets, BUCKET), parseCounts(value.refusals, REFUSAL)];
  return { service, name, kind, count, errors, refusals, sumMs, maxMs, buckets };
}

function parseCounts(value: unknown, names: RegExp): Readonly<Record<string, number>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => names.test(entry[0]) && isCount(entry[1])),
  );
}

function parseTopicLists(value: unknown): Readonly<Record<string, TopicList>> {
  if (!isObject(value)) return {};
  const lists = Object.entries(value).map(([search, list]) => [search, parseTopicList(list)] as const);
  return Object.fromEntries(lists.filter((entry): entry is [string, TopicList] => entry[1] !== undefined));
}

function parseTopicList(value: unknown): TopicList | undefined {
  if (!isObject(value) || !isCount(value.matching) || !Array.isArray(value.topics)) return undefined;
  const topics = value.topics.filter(
    (entry): entry is TopicCount =>
      isObject(entry) && typeof entry.topic === 'string' && isCount(entry.subscribers) && isCount(entry.version),
  );
  return { topics, matching: value.matching };
}

function parseSkew({ skewUs, uncertainUs }: Fields): { skewUs: number | null; uncertainUs: number } {
  const known = typeof skewUs === 'number' && Math.abs(skewUs) <= Number.MAX_SAFE_INTEGER;
  return { skewUs: known ? skewUs : null, uncertainUs: isCount(uncertainUs) ? uncertainUs : 0 };
}

function parseAttributes(value: unknown): Readonly<Record<string, AttributeValue>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, AttributeValue] => isValue(entry[1])),
  );
}

function parseFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isValue(value: unknown): value is AttributeValue {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  );
}

function isKind(value: unknown): value is SpanKindName {
  return SPAN_KINDS.some((kind) => kind === value);
}
