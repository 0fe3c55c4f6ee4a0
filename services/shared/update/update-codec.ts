import type { Topic } from './topic.ts';
import { isVersion, parseVersion, type Update, type UpdateBody, type Version } from './update.ts';

/** Encodes the body that a broker stores for an update, as JSON; `{}` if it is empty. */
export function encodeBody(body: UpdateBody): string {
  const { data, spread, traceparent } = body;
  return JSON.stringify({ data, spread, traceparent });
}

/**
 * Decodes a stored body. Ignores unknown fields, so that processes of different releases can share a Redis. An invalid body
 * counts as empty: even without it, the update notifies clients.
 */
export function decodeBody(text: string): UpdateBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null) return {};
  const body: { data?: unknown; spread?: number; traceparent?: string } = {};
  if ('data' in value) body.data = value.data;
  if ('spread' in value && isVersion(value.spread)) body.spread = value.spread;
  if ('traceparent' in value && typeof value.traceparent === 'string') body.traceparent = value.traceparent;
  return body;
}

/** Encodes the pub/sub message of an update: `<version> <body>`. */
export function encodeSignal(version: Version, body: string): string {
  return `${version} ${body}`;
}

/** Decodes the pub/sub message of an update; undefined if it has no valid version. */
export function decodeSignal(topic: Topic, text: string): Update | undefined {
  const space = text.indexOf(' ');
  const version = parseVersion(space < 0 ? text : text.slice(0, space));
  if (version === undefined) return undefined;
  return { topic, version, ...(space < 0 ? {} : decodeBody(text.slice(space + 1))) };
}
