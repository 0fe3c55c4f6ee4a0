import { SpanKind, type Tracer } from '@opentelemetry/api';
import type { Request, RequestHandler } from 'express';
import { AppError } from '../shared/errors.ts';
import { decodeUtf8, readBody, requireMediaType } from '../shared/http/read-body.ts';
import { requireSameOrigin } from '../shared/http/same-origin.ts';
import { record } from '../shared/trace/record.ts';
import { contextOf } from '../shared/trace/request-context.ts';
import { parseComment } from './comment.ts';
import type { CommentStore } from './comment-store.ts';
import type { ChatMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import type { ShowPage } from './show-page.ts';

/** The longest comment takes less than 12 KiB, whatever its letters and however they are written. */
const MAX_BODY_BYTES = 16 * 1024;

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** A part of a request that the database takes its time for. */
const DATABASE = { kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'sqlite' } };

type Fields = Readonly<Record<string, unknown>>;

/**
 * Creates the handler of `POST /comments`: saves, then publishes. Answers a form with the page and JSON with the
 * comment; `published` says whether the cluster was told already. If not it will be: the comment is saved.
 */
export function createPostComment(deps: {
  store: CommentStore;
  outbox: Outbox;
  metrics: ChatMetrics;
  showPage: ShowPage;
  tracer: Tracer;
}): RequestHandler {
  const { store, outbox, metrics, showPage, tracer } = deps;

  async function save(request: Request, fields: Fields) {
    const comment = parseComment(fields);
    const saved = await record(tracer, 'save', { ...DATABASE, within: contextOf(request) }, () => store.add(comment));
    metrics.commentSaved();
    return { comment: saved, published: await outbox.publish(saved.id) };
  }

  return async (request, response) => {
    requireSameOrigin(request.headers);
    const type = requireMediaType(request.headers, [JSON_TYPE, FORM_TYPE]);
    const fields = parseFields(type, await readBody(request, MAX_BODY_BYTES));
    if (type === JSON_TYPE || !isPage(request)) {
      response.status(201).json(await save(request, fields));
      return;
    }
    try {
      const { comment } = await save(request, fields);
      // Reloading the page must not send the form again.
      response.redirect(303, `/?name=${encodeURIComponent(comment.name)}`);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      response.status(error.status);
      showPage(request, response, { draft: fields, error: error.message });
    }
  };
}

function isPage(request: Request): boolean {
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
