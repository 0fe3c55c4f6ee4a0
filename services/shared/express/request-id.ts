import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler } from 'express';

const HEADER = 'X-Request-Id';

/**
 * Middleware that sends `X-Request-Id` with each response: the id of the request if it has a valid one, else a new one. Log
 * lines about a failed request contain it.
 */
export const assignRequestId: RequestHandler = (request, response, next) => {
  const given = request.get(HEADER);
  response.setHeader(HEADER, given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID());
  next();
};

/** Returns the id that `assignRequestId` gave a request; empty without it. */
export function requestIdOf(request: Request): string {
  return String(request.res?.getHeader(HEADER) ?? '');
}
