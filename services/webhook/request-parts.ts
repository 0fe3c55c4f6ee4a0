import type { Request, Response } from 'express';

/** The parameters of a request's URL. */
export function queryOf(request: Request): URLSearchParams {
  const [, query = ''] = request.url.split('?', 2);
  return new URLSearchParams(query);
}

/** Aborted when there is nobody any more who could be answered. */
export function whenGone(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  if (response.closed) gone.abort();
  return gone.signal;
}
