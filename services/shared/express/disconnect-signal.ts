import type { Response } from 'express';

/** Returns a signal that is aborted when the response ends or the client disconnects. */
export function disconnectSignal(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  if (response.closed) controller.abort();
  return controller.signal;
}
