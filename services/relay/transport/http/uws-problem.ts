import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import { AppError, type ErrorCode } from '../../../shared/errors.ts';
import { CLOSE_CODES, type CloseCode } from '../../../shared/protocol/close-codes.ts';
import { PROBLEM_CONTENT_TYPE, toProblem } from '../../../shared/protocol/problem.ts';

/** Says by headers which pages may read an answer. */
export type CorsHeaders = (origin: string, host: string) => Readonly<Record<string, string>>;

const RETRY_AFTER_S = '2';

/** Answers a request with an error (RFC 9457); `isHead` leaves out its body. */
export function sendProblem(
  res: HttpResponse,
  error: AppError,
  headers: Readonly<Record<string, string>> = {},
  isHead = false,
): void {
  const body = JSON.stringify(toProblem(error));
  res.cork(() => {
    res.writeStatus(`${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`);
    writeHeaders(res, headers);
    if (error.status === 429 || error.status === 503) res.writeHeader('Retry-After', RETRY_AFTER_S);
    if (error.status === 401) res.writeHeader('WWW-Authenticate', 'Bearer');
    res.writeHeader('Content-Type', PROBLEM_CONTENT_TYPE);
    res.writeHeader('Cache-Control', 'no-store');
    if (!('X-Content-Type-Options' in headers)) res.writeHeader('X-Content-Type-Options', 'nosniff');
    if (isHead) endHead(res, body);
    // What comes next should go to another relay.
    else res.end(body, error.code === 'draining');
  });
}

/**
 * Answers with an error whatever else is asked for under a path. HEAD gets no body (RFC 9110, section 9.3.2): whoever
 * stands in between would take it for the next answer.
 */
export function refuseOthers(
  app: TemplatedApp,
  path: string,
  code: ErrorCode,
  headers: Readonly<Record<string, string>> = {},
): void {
  app.any(path, (res, req) => sendProblem(res, new AppError(code), headers, req.getMethod() === 'head'));
}

/** Ends the answer to HEAD, which says how long the body of GET is. (uWebSockets.js waits for the body where it says so.) */
export function endHead(res: HttpResponse, body: string | Buffer): void {
  res.writeHeader('Content-Length', String(Buffer.byteLength(body)));
  res.endWithoutBody();
}

/** Writes headers, after the status and before the body. */
export function writeHeaders(res: HttpResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
}

/** What a close code of a WebSocket, and its reason, is over plain HTTP. */
export function refusalOf(code: CloseCode, reason: string): AppError {
  if (code === CLOSE_CODES.unauthorized) return new AppError('unauthorized');
  if (code === CLOSE_CODES.forbidden) return new AppError('topic_forbidden');
  if (code === CLOSE_CODES.full) return new AppError(reason === 'relay_full' ? reason : 'keys_unavailable');
  return new AppError('not_fresh');
}
