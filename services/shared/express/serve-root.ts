import type { RequestHandler } from 'express';
import { type RootDescription, renderRoot } from '../http/root-page.ts';

/** Creates the handler of the root of a port, which says what it serves. */
export function serveRoot(description: RootDescription): RequestHandler {
  return (request, response) => {
    const { body, headers } = renderRoot(description, request.get('accept') ?? '');
    response.set(headers).send(body);
  };
}
