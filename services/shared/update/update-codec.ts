import type { Topic } from './topic.ts';
import { isVersion, parseVersion, type Update, type UpdateBody, type Version } from './update.ts';

/** Renders what a broker stores for an update beside its version: JSON text, `{}` where there is nothing. */
export function encodeBody(body: UpdateBody): string {
  const { data, spread, traceparent } = body;
  return JSON.stringify({ data, spread, traceparent });
}

/**
 * Reads a stored body. Unknown fields are ignored, so that versions of this software can be mixed; a
 * body that cannot be read counts as empty: the update itself still means "look now".
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

/** Renders the signal of an update: `<version> <body>`. */
export function encodeSignal(version: Version, body: string): string {
  return `${version} ${body}`;
}

/** Reads a signal; undefined where it has no version. */
export function decodeSignal(topic: Topic, text: string): Update | undefined {
  const space = text.indexOf(' ');
  const version = parseVersion(space < 0 ? text : text.slice(0, space));
  if (version === undefined) return undefined;
  return { topic, version, ...(space < 0 ? {} : decodeBody(text.slice(space + 1))) };
}
