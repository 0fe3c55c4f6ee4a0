import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../shared/errors.ts';

/** How a request carries events in the format of CloudEvents (HTTP binding 1.0, section 3). */
export type CloudEventMode = 'structured' | 'batched' | 'binary';

/** An event by its attributes, with its `data`. */
export interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly [attribute: string]: unknown;
}

const BINARY_PREFIX = 'ce-';

/** Returns the mode of a request; undefined if its headers announce no CloudEvent. */
export function cloudEventModeOf(headers: IncomingHttpHeaders): CloudEventMode | undefined {
  const type = headers['content-type'] ?? '';
  if (/^application\/cloudevents\+json *(?:;|$)/i.test(type)) return 'structured';
  if (/^application\/cloudevents-batch\+json *(?:;|$)/i.test(type)) return 'batched';
  return headers['ce-specversion'] === undefined ? undefined : 'binary';
}

/**
 * Checks the envelope of an event.
 *
 * @throws {AppError} invalid_request
 */
export function parseCloudEvent(envelope: unknown): CloudEvent {
  const { specversion, id, source, type } = Object(envelope) as Record<string, unknown>;
  const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';
  if (specversion === '1.0' && isName(id) && isName(source) && isName(type)) return { ...Object(envelope), id, source };
  throw new AppError('invalid_request', 'A CloudEvent needs specversion "1.0", id, source and type');
}

/**
 * Builds the event of a request in binary mode, whose attributes are in headers.
 *
 * @throws {AppError} invalid_request
 */
export function parseBinaryEvent(headers: IncomingHttpHeaders, data: unknown): CloudEvent {
  const attributes = Object.entries(headers)
    .filter(([name]) => name.startsWith(BINARY_PREFIX))
    .map(([name, value]) => [name.slice(BINARY_PREFIX.length), decode(String(value))]);
  return parseCloudEvent({ ...Object.fromEntries(attributes), data });
}

/** Attributes are percent-encoded in headers (section 3.1.3.2). */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Returns an idempotency key for events, of which source and id name each one. */
export function idempotencyKeyOf(events: readonly CloudEvent[]): string {
  return JSON.stringify(events.map(({ source, id }) => [source, id]));
}
