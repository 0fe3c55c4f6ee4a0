import type { RequestHandler } from 'express';

const MAX_DISCARDED_BYTES = 1024 * 1024;
const MAX_DISCARD_MS = 1000;

/**
 * Creates what deals with a sender that was answered before all of its body had come: the rest is read
 * and thrown away, since a connection cut too early would take the answer with it; but only so much of
 * it, and for so long.
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
