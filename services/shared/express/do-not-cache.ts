import type { RequestHandler } from 'express';

/** Tells everybody on the way that this answer is for this request only. */
export const doNotCache: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
