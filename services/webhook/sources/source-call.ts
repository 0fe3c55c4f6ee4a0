import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from 'express';
import { AppError } from '../../shared/errors.ts';
import { type BodyReader, decodeUtf8 } from '../../shared/http/read-body.ts';
import { type JsonText, jsonMemberAt, splitJsonObject } from '../../shared/update/json-text.ts';
import type { Topic } from '../../shared/update/topic.ts';
import {
  type CloudEvent,
  cloudEventModeOf,
  idempotencyKeyOf,
  parseBinaryEvent,
  parseCloudEvent,
} from '../cloud-event.ts';
import type { Credential } from '../credential.ts';
import type { FailureLimit } from '../failure-limit.ts';
import type { SourceOutcome, SourceReport } from '../metrics.ts';
import { limitData, type ParsedCall, type ReadCall } from '../publish-call.ts';
import { pathTokenOf } from './path-token.ts';
import type { Source, Sources } from './source.ts';

/** Topics that one delivery may publish: batches of change data capture have thousands of events. */
const MAX_TOPICS = 1000;

/** A repetition needs the same id only: senders add counters of attempts to the body. */
const ANY_BODY = new Uint8Array();

/**
 * Creates the reader of `POST /hooks/<name>`, to which senders deliver events in a form of their own. Head and format of
 * the signature are checked before the body is read. The reader throws `AppError` with `unknown_source`, with the errors of
 * verifiers, or with `rate_limited` after too many wrong deliveries from an address.
 */
export function createReadSourceCall(deps: {
  sources: Sources;
  failures: FailureLimit;
  bodies: BodyReader;
  report: SourceReport;
  nowMs: () => number;
}): ReadCall {
  const { sources, failures, bodies, report, nowMs } = deps;
  const credentials = new Map([...sources.values()].map((source) => [source, credentialOf(source)]));

  /** Verifies a delivery, and returns its body. */
  async function verified(request: Request, source: Source): Promise<{ raw: Buffer; verifiedFromMs: number }> {
    const { headers } = request;
    const check = source.verifier.check({ headers, token: pathTokenOf(request), nowMs: nowMs() });
    // Credentials that are right without a body are accepted from every address: others must not be able to exclude their sender.
    if (check !== true) failures.check(request);
    const raw = check === false ? undefined : await bodies.read(request);
    const verifiedFromMs = performance.now();
    if (raw && (check === true || (check !== false && check(raw)))) return { raw, verifiedFromMs };
    failures.count(request);
    throw check === false
      ? new AppError('unauthorized', `The credentials are not those of the source "${source.name}"`)
      : new AppError('invalid_signature', `The signature matches no secret of the source "${source.name}"`);
  }

  return async (request) => {
    const source = sources.get(String(request.params.name));
    if (!source) {
      throw new AppError(
        'unknown_source',
        'WEBHOOK_SOURCES has no source of this name; restart the webhook after a change',
      );
    }
    const { res } = request;
    res?.once('finish', () => report.sourceCalled(source.name, outcomeOf(res.statusCode)));
    try {
      const { raw, verifiedFromMs } = await verified(request, source);
      const credential = credentials.get(source) as Credential;
      return { credential, verifiedFromMs, parse: () => parseDelivery(request.headers, raw, source) };
    } catch (error) {
      if (error instanceof AppError && error.status === 401 && source.verify === 'basic') {
        res?.setHeader('WWW-Authenticate', 'Basic realm="heliograph"');
      }
      throw error;
    }
  };
}

function outcomeOf(status: number): SourceOutcome {
  if (status < 400) return 'accepted';
  if (status === 401) return 'unverified';
  if (status === 429) return 'limited';
  return status < 500 ? 'unmatched' : 'failed';
}

function credentialOf({ name, mayPublish }: Source): Credential {
  const id = createHash('sha256').update(`heliograph source ${name}`).digest('base64url').slice(0, 22);
  return { id, mayPublish };
}

function parseDelivery(headers: IncomingHttpHeaders, raw: Buffer, source: Source): ParsedCall {
  const { events, cloudEvents, body } = parseEvents(headers, raw, source);
  /** The position of the last event of each topic. */
  const last = new Map(events.map((event, i) => [source.topic.fill(event), i]));
  const topics = [...last.keys()];
  requirePermitted(topics, source);
  const texts = source.data && eventTexts(headers, raw, events, body);
  const deliveryId = source.verifier.deliveryId(headers, body);
  const eventKey = cloudEvents.length > 0 ? idempotencyKeyOf(cloudEvents) : undefined;
  const requests = texts
    ? [...last].map(([topic, i]) => ({ topics: [topic], ...readData(texts[i] ?? '', source, cloudEvents.length > 0) }))
    : [{ topics }];
  return { requests, webhookId: deliveryId ?? eventKey, identity: ANY_BODY, wait: undefined };
}

function requirePermitted(topics: readonly Topic[], source: Source): void {
  if (topics.length === 0) throw new AppError('unmatched_event', 'The body is a list without events');
  if (topics.length > MAX_TOPICS) {
    throw new AppError('too_many_topics', `A delivery may have ${MAX_TOPICS} topics; this one has ${topics.length}`);
  }
  const forbidden = topics.find((topic) => !source.mayPublish(topic));
  if (forbidden === undefined) return;
  throw new AppError('topic_forbidden', `"allow" of the source "${source.name}" does not have the topic ${forbidden}`);
}

/** The events of a delivery, those of them that are CloudEvents, and the parsed body. */
interface Events {
  readonly events: readonly unknown[];
  readonly cloudEvents: readonly CloudEvent[];
  readonly body: unknown;
}

/** Returns the JSON of each event. That of a CloudEvent in binary mode has its attributes too, as in structured mode. */
function eventTexts(
  headers: IncomingHttpHeaders,
  raw: Buffer,
  events: readonly unknown[],
  body: unknown,
): readonly string[] {
  const text = decodeUtf8(raw);
  if (cloudEventModeOf(headers) === 'binary') {
    const attributes = JSON.stringify({ ...Object(events[0]), data: undefined });
    return [body === undefined ? attributes : `${attributes.slice(0, -1)},"data":${text}}`];
  }
  const isList = Array.isArray(body) && body !== events[0];
  return isList ? [...splitJsonObject(text).values()].map((member) => member.text) : [text];
}

/** Returns the `data` of an event, as the source chooses it: by default the whole one, or the data of a CloudEvent. */
function readData(text: string, { data: path = [] }: Source, isCloudEvent: boolean): { data?: JsonText } {
  const member = jsonMemberAt(text, isCloudEvent && path.length === 0 ? ['data'] : path);
  const data = limitData(member);
  if (data !== undefined) return { data };
  if (path.length === 0) return {}; // a CloudEvent without data
  throw new AppError(
    'unmatched_event',
    `"data" of the source needs "${path.join('.')}" of the event, which is missing`,
  );
}

/** Parses the events of a body: one, or those of a list. A body that is not JSON is an event without members. */
function parseEvents(headers: IncomingHttpHeaders, raw: Buffer, { topic, data }: Source): Events {
  const mode = cloudEventModeOf(headers);
  const needsJson =
    mode === 'binary'
      ? data?.length === 0 && raw.length > 0
      : mode !== undefined || topic.hasPlaceholders || data !== undefined;
  const body = parseJson(headers, raw, !needsJson);
  if (mode === 'binary') {
    const event = parseBinaryEvent(headers, body);
    return { events: [event], cloudEvents: [event], body };
  }
  const events = topic.hasPlaceholders || mode !== undefined ? [body].flat() : [body];
  if (mode === undefined) return { events, cloudEvents: [], body };
  const cloudEvents = events.map(parseCloudEvent);
  return { events: cloudEvents, cloudEvents, body };
}

function parseJson(headers: IncomingHttpHeaders, raw: Buffer, isOptional: boolean): unknown {
  try {
    return JSON.parse(decodeUtf8(raw));
  } catch {
    if (isOptional) return undefined;
    const type = headers['content-type'] ?? 'nothing';
    throw new AppError(
      'invalid_json',
      `This source needs events in JSON, but the body is ${type.slice(0, 100)}: choose application/json at the sender`,
    );
  }
}
