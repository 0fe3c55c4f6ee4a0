import type { RequestHandler } from 'express';

const MAX_DISCARDED_BYTES = 1024 * 1024;
const MAX_DISCARD_MS = 1000;

/**
 * Creates middleware that reads and discards the rest of a body after a response that was sent early. Closing the
 * connection at once could destroy the response on its way. Gives up after 1 MiB or 1 s.
 */
export function createDiscardRest(): RequestHandler {
  return (request, response, next) => {
    response.once('finish', () => {
      if (request.complete) return;
      let remaining = MAX_DISCARDED_BYTES;
      const cutOff = setTimeout(() => request.destroy(), MAX_DISCARD_MS);
      request.once('close', () => clearTimeout(cutOff));
      request.on('data', (chunk: Buffer) => {
        remaining -= chunk.length;
        if (remaining < 0) request.destroy();
      });
      request.resume();
    });
    next();
  };
}
