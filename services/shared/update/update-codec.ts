import { type JsonText, toJsonText } from './json-text.ts';
import type { Topic } from './topic.ts';
import { isVersion, parseVersion, type Update, type UpdateBody, type Version } from './update.ts';

/** What may follow `data` in a stored body, and its end. Quotes in `data` are escaped, so this matches nothing within it. */
const REST = /(?:,"spread":(\d{1,16}))?(?:,"traceparent":"([^"\\]{0,100})")?\}$/;
const MAX_REST_LENGTH = 160;
const DATA_FIRST = '{"data":';

/**
 * Encodes the body that a broker stores for an update, as JSON; `{}` if it is empty. `data` comes first and is copied as
 * it is. A later release that adds a field puts it before `data`: then this release parses the whole body.
 */
export function encodeBody({ data, spread, traceparent }: UpdateBody): string {
  const rest = JSON.stringify({ spread, traceparent });
  if (data === undefined) return rest;
  return `${DATA_FIRST}${data}${rest === '{}' ? '}' : `,${rest.slice(1)}`}`;
}

/**
 * Decodes a stored body. Ignores unknown fields, so that processes of different releases can share a Redis. An invalid body
 * counts as empty: even without it, the update notifies clients. `data` is not parsed: it was validated by the webhook.
 */
export function decodeBody(text: string): UpdateBody {
  const rest = text.startsWith(DATA_FIRST) && !/[\r\n]/.test(text) && REST.exec(text.slice(-MAX_REST_LENGTH));
  if (!rest) return parseBody(text);
  const [ending, spread, traceparent] = rest;
  return {
    data: text.slice(DATA_FIRST.length, text.length - ending.length) as JsonText,
    ...(spread !== undefined && isVersion(Number(spread)) && { spread: Number(spread) }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** Parses a body without `data`, or of another release. */
function parseBody(text: string): UpdateBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null) return {};
  const body: { data?: JsonText; spread?: number; traceparent?: string } = {};
  const data = 'data' in value ? toJsonText(value.data) : undefined;
  if (data !== undefined) body.data = data;
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
