import type { HttpResponse } from 'uWebSockets.js';
import type { AppError } from '../../../shared/errors.ts';
import { sendProblem, writeHeaders } from '../http/uws-problem.ts';
import { renderRetry } from './sse-text.ts';

/** Begins a stream of Server-Sent Events; call it within a cork. */
export function writeStreamHead(res: HttpResponse, cors: Readonly<Record<string, string>>): void {
  res.writeStatus('200 OK');
  writeHeaders(res, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no', // nginx: hand over each event as it comes
    'X-Content-Type-Options': 'nosniff',
    ...cors,
  });
}

/**
 * Refuses a stream. An `EventSource` never comes back after an error status, so where it should come back later
 * it gets a stream that ends at once.
 */
export function refuseStream(
  res: HttpResponse,
  error: AppError,
  options: { cors: Readonly<Record<string, string>>; retryMs: number },
): void {
  const { cors, retryMs } = options;
  if (error.status !== 503 && error.status !== 429) {
    sendProblem(res, error, cors);
    return;
  }
  res.cork(() => {
    writeStreamHead(res, cors);
    res.end(renderRetry(retryMs));
  });
}
