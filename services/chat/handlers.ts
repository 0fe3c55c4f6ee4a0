import { SpanKind, type Tracer } from '@opentelemetry/api';
import type { Request, RequestHandler, Response } from 'express';
import { AppError } from '../shared/errors.ts';
import { BodyReader, decodeUtf8, requireMediaType } from '../shared/http/read-body.ts';
import { requireSameOrigin } from '../shared/http/same-origin.ts';
import type { ServiceUrl } from '../shared/http/service-url.ts';
import { record } from '../shared/trace/record.ts';
import { contextOf } from '../shared/trace/request-context.ts';
import { MAX_NAME_LENGTH, MAX_TEXT_LENGTH, parseComment } from './comment.ts';
import type { LimitComments } from './comment-limit.ts';
import type { CommentStore } from './comment-store.ts';
import type { ChatMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { renderPage } from './page-html.ts';

/** The longest valid comment takes less than 12 KiB, whatever its characters and their encoding. */
const MAX_BODY_BYTES = 16 * 1024;

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Span options of a database call. */
const DATABASE_CALL = { kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'sqlite' } };

type Fields = Readonly<Record<string, unknown>>;

/** Sends the page: the newest comments and the form, with `draft` in its fields and `error` above its button. */
export type ShowPage = (
  request: Request,
  response: Response,
  form?: { draft?: { readonly name?: unknown; readonly text?: unknown }; error?: string },
) => void;

/** Creates the function that sends the page. */
export function createShowPage(deps: {
  store: CommentStore;
  outbox: Outbox;
  topic: string;
  relayUrl: ServiceUrl;
}): ShowPage {
  const { store, outbox, topic, relayUrl } = deps;
  return (request, response, { draft = {}, error = '' } = {}) => {
    // Read the version before the comments: a comment missing from the page then has a newer one, so the page is notified.
    const { version } = store.published(topic);
    const page = renderPage({
      comments: store.newest().comments,
      topic,
      version,
      relayUrl: relayUrl(request),
      draft: { name: truncate(draft.name, MAX_NAME_LENGTH), text: truncate(draft.text, MAX_TEXT_LENGTH) },
      error,
      publishDelayed: outbox.delayed,
    });
    response.type('html').send(page);
  };
}

/**
 * Creates the handler of `GET /comments?after=<id>`: comments with greater ids, newest first; without `after` the
 * newest of all. `complete` is false if there are more than are returned.
 */
export function createGetComments(deps: { store: CommentStore }): RequestHandler {
  return (request, response) => {
    const { after = '0' } = request.query;
    if (typeof after !== 'string' || !/^\d{1,16}$/.test(after)) {
      throw new AppError('invalid_request', 'after must be the id of a comment');
    }
    response.json(deps.store.newest(Number(after)));
  };
}

/**
 * Creates the handler of `POST /comments`: saves, then publishes. A browser's form is answered with the page, all else
 * with `{comment, published}` as JSON. If `published` is false, the outbox goes on trying.
 */
export function createPostComment(deps: {
  limitRate: LimitComments;
  store: CommentStore;
  outbox: Outbox;
  metrics: ChatMetrics;
  showPage: ShowPage;
  tracer: Tracer;
}): RequestHandler {
  const { limitRate, store, outbox, metrics, showPage, tracer } = deps;

  async function save(request: Request, fields: Fields) {
    const draft = parseComment(fields);
    await limitRate(request);
    const options = { ...DATABASE_CALL, within: contextOf(request) };
    const comment = await record(tracer, 'save', options, () => store.add(draft));
    metrics.commentSaved();
    return { comment, published: await outbox.publish(comment.id) };
  }

  const bodies = new BodyReader({ maxBytes: MAX_BODY_BYTES });

  return async (request, response) => {
    requireSameOrigin(request.headers);
    const type = requireMediaType(request.headers, [JSON_TYPE, FORM_TYPE]);
    const fields = parseFields(type, await bodies.read(request));
    if (type === JSON_TYPE || !acceptsPage(request)) {
      response.status(201).json(await save(request, fields));
      return;
    }
    try {
      const { comment } = await save(request, fields);
      // A redirect, so that reloading the page does not send the form again.
      response.redirect(303, `/?name=${encodeURIComponent(comment.name)}`);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      response.status(error.status);
      showPage(request, response, { draft: fields, error: error.message });
    }
  };
}

function acceptsPage(request: Request): boolean {
  return request.accepts(['json', 'html']) === 'html';
}

function parseFields(type: typeof JSON_TYPE | typeof FORM_TYPE, body: Buffer): Fields {
  if (type === FORM_TYPE) return Object.fromEntries(new URLSearchParams(body.toString()));
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(body));
  } catch (error) {
    throw error instanceof AppError ? error : new AppError('invalid_json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', 'The body must be a JSON object');
  }
  return value as Fields;
}

function truncate(value: unknown, maxLength: number): string {
  return typeof value === 'string' ? value.slice(0, maxLength) : '';
}
