import type { RequestHandler } from 'express';

/** Middleware that forbids browsers and proxies to store the response. */
export const doNotCache: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
