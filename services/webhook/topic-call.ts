import type { Request } from 'express';
import { AppError } from '../shared/errors.ts';
import { queryParameters } from '../shared/express/query-parameters.ts';
import { type BodyReader, decodeUtf8 } from '../shared/http/read-body.ts';
import { parseSpread, requireTopics } from '../shared/protocol/publish-request.ts';
import { type JsonText, jsonMemberAt } from '../shared/update/json-text.ts';
import { type Authenticate, readWebhookId } from './authenticate.ts';
import { cloudEventModeOf, idempotencyKeyOf, parseBinaryEvent, parseCloudEvent } from './cloud-event.ts';
import { limitData, type ParsedCall, type ReadCall } from './publish-call.ts';
import { parseWaitParameters } from './wait-parameters.ts';

const PATH = '/webhook/';
const PARAMETERS = ['topic', 'data', 'spread', 'wait', 'timeout'];

/** Returns whether a request to `/webhook` names its topics in the URL. */
export function hasTopicParameter(request: Request): boolean {
  return request.url.includes('?') && queryParameters(request).has('topic');
}

/**
 * Creates the reader of `POST /webhook/<topic>` and `POST /webhook?topic=<topic>`, which publish whatever their body is.
 * With `data=body`, the body is JSON that becomes the `data` of the update; of a CloudEvent, it is the `data` of the event.
 */
export function createReadTopicCall(deps: { authenticate: Authenticate; bodies: BodyReader }): ReadCall {
  const { authenticate, bodies } = deps;
  return async (request) => {
    const verify = authenticate(request);
    const raw = await bodies.read(request);
    const verifiedFromMs = performance.now();
    return { credential: verify(raw), verifiedFromMs, parse: () => parseTopicCall(request, raw) };
  };
}

function parseTopicCall(request: Request, raw: Buffer): ParsedCall {
  const query = queryParameters(request);
  const unknown = [...query.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) {
    const shown = JSON.stringify(unknown.slice(0, 100));
    throw new AppError('unknown_member', `The URL may have the parameters ${PARAMETERS.join(', ')}, not ${shown}`);
  }
  const path = request.path.startsWith(PATH) ? [decodeURIComponent(request.path.slice(PATH.length))] : [];
  const topics = requireTopics([...path, ...query.getAll('topic')]);
  const spreadText = single(query, 'spread');
  const spread =
    spreadText === undefined ? undefined : parseSpread(/^\d{1,9}$/.test(spreadText) ? Number(spreadText) : NaN);
  const eventKey = cloudEventKey(request, raw, topics);
  const data = readData(request, raw, single(query, 'data'));
  // A signature covers the body only: the same signed call with another URL is another call.
  const form = JSON.stringify({ topics, spread, data: data !== undefined });
  return {
    requests: [{ topics, ...(data === undefined ? {} : { data }), ...(spread === undefined ? {} : { spread }) }],
    webhookId: readWebhookId(request.headers) ?? eventKey,
    identity: Buffer.concat([Buffer.from(`${form}\n`), raw]),
    wait: parseWaitParameters(query),
  };
}

function single(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw new AppError('invalid_request', `The URL may have ${name} only once`);
  return values[0];
}

function readData({ headers }: Request, raw: Buffer, mode: string | undefined): JsonText | undefined {
  if (mode === undefined) return undefined;
  if (mode !== 'body') throw new AppError('invalid_request', 'The only supported data is data=body');
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
    throw new AppError('unsupported_media_type', 'With data=body, the body must not be compressed');
  }
  const text = parseBody(raw);
  const event = cloudEventModeOf(headers);
  if (event === 'batched') {
    throw new AppError('invalid_request', 'With data=body, the body must be one event, not a batch');
  }
  return limitData(jsonMemberAt(text, event === 'structured' ? ['data'] : []));
}

/** Returns the text of a body in JSON. */
function parseBody(raw: Buffer): string {
  const text = decodeUtf8(raw);
  try {
    JSON.parse(text);
  } catch {
    throw new AppError('invalid_json', 'With data=body, the body must be JSON');
  }
  return text;
}

/** Returns the idempotency key of the CloudEvents that a request carries; undefined if it carries none. */
function cloudEventKey({ headers }: Request, raw: Buffer, topics: readonly string[]): string | undefined {
  const mode = cloudEventModeOf(headers);
  if (mode === undefined) return undefined;
  const events = mode === 'binary' ? [parseBinaryEvent(headers, undefined)] : parseEnvelopes(raw).map(parseCloudEvent);
  return events.length === 0 ? undefined : `${topics.join(' ')} ${idempotencyKeyOf(events)}`;
}

function parseEnvelopes(raw: Buffer): readonly unknown[] {
  try {
    return [JSON.parse(decodeUtf8(raw))].flat();
  } catch {
    throw new AppError('invalid_json', 'The body of a CloudEvent in structured mode must be JSON');
  }
}
