import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';

const HEADER = 'X-Request-Id';

/**
 * Names each request, by the name that a proxy or the caller gave it, or by a new one, and answers with it: what the
 * log says of a failure can be found again from the outside.
 */
export const nameRequest: RequestHandler = (request, response, next) => {
  const given = request.get(HEADER);
  response.setHeader(HEADER, given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID());
  next();
};

/** The name of a request. */
export function requestIdOf(request: Request): string {
  return String(request.res?.getHeader(HEADER) ?? '');
}
