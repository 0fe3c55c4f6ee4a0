import type { Request, RequestHandler } from 'express';
import { AppError } from '../shared/errors.ts';
import { decodeUtf8, readBody, requireMediaType } from '../shared/http/read-body.ts';
import { parseComment } from './comment.ts';
import type { CommentStore } from './comment-store.ts';
import type { ChatMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { requireSameOrigin } from './same-origin.ts';
import type { ShowPage } from './show-page.ts';

/** The longest comment takes less than 12 KiB, whatever its letters and however they are written. */
export const MAX_BODY_BYTES = 16 * 1024;

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

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
}): RequestHandler {
  const { store, outbox, metrics, showPage } = deps;

  async function save(fields: Fields) {
    const comment = store.add(parseComment(fields));
    metrics.commentSaved();
    return { comment, published: await outbox.publish(comment.id) };
  }

  return async (request, response) => {
    requireSameOrigin(request.headers);
    const type = requireMediaType(request.headers, [JSON_TYPE, FORM_TYPE]);
    const fields = parseFields(type, await readBody(request, MAX_BODY_BYTES));
    if (type === JSON_TYPE || !isPage(request)) {
      response.status(201).json(await save(fields));
      return;
    }
    try {
      const { comment } = await save(fields);
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
