import type { AppError } from '../../../shared/errors.ts';
import type { HttpResponse } from '../../engine/engine.ts';
import { sendProblem, writeHeaders } from '../http/http-response.ts';

/** Maximum number of topics of one stream: its `id:` has a version for each. */
export const MAX_EVENT_TOPICS = 16;

/** The data of an update for Turbo, whose `<turbo-stream-source>` fetches its page again for it. */
export const TURBO_REFRESH = '<turbo-stream action="refresh"></turbo-stream>';

/**
 * Renders one event of a stream (HTML standard, section 9.2).
 * @param name empty for an event without a name, which is a `message`
 * @param data one line, as JSON is
 * @param id sent back by the browser as `Last-Event-ID` when it reconnects
 */
export function renderEvent(name: string, data: string, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${name && `event: ${name}\n`}data: ${data}\n\n`;
}

/** Renders the delay after which a browser reconnects, in milliseconds. */
export function renderRetry(ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`;
}

/** Writes the head of a stream. Call it within a cork. */
export function writeStreamHead(res: HttpResponse, cors: Readonly<Record<string, string>>): void {
  res.writeStatus('200 OK');
  writeHeaders(res, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no', // nginx: pass on each event immediately
    'X-Content-Type-Options': 'nosniff',
    ...cors,
  });
}

/**
 * Refuses a stream. An `EventSource` does not reconnect after an error status, so a temporary refusal is a stream that
 * ends immediately, except for clients that announced that they connect again.
 */
export function refuseStream(
  res: HttpResponse,
  error: AppError,
  options: { cors: Readonly<Record<string, string>>; retryMs: number },
): void {
  const { cors, retryMs } = options;
  if (error.code === 'rebalancing' || (error.status !== 503 && error.status !== 429)) {
    sendProblem(res, error, cors);
    return;
  }
  res.cork(() => {
    writeStreamHead(res, cors);
    res.end(renderRetry(retryMs));
  });
}
