import type { RequestHandler } from 'express';
import { AppError } from '../shared/errors.ts';
import type { CommentStore } from './comment-store.ts';

/**
 * Creates the handler of `GET /comments?after=<id>`: the comments with greater ids, the newest first; without
 * `after` the newest of all. `complete` is false where there are more than are given.
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
