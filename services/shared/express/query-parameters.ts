import type { Request } from 'express';

/** Returns the query parameters of a request. */
export function queryParameters(request: Request): URLSearchParams {
  const [, query = ''] = request.url.split('?', 2);
  return new URLSearchParams(query);
}
