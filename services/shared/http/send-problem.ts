import type { ServerResponse } from 'node:http';
import type { AppError, ErrorCode } from '../errors.ts';
import { PROBLEM_CONTENT_TYPE, toProblem } from '../protocol/problem.ts';

/** Seconds after which a request that failed with 503 may be repeated. */
const RETRY_AFTER_S = 1;

const CODE = Symbol('error code of a response');

/** Returns the error code of a response that `sendProblem` has sent; undefined for any other response. */
export function errorCodeOf(response: ServerResponse): ErrorCode | undefined {
  return (response as ServerResponse & { [CODE]?: ErrorCode })[CODE];
}

/**
 * Sends an error as `application/problem+json`, with `Retry-After` on 503 and if the time is known, and `WWW-Authenticate`
 * on 401. Set other headers of the error, such as `Allow` or another `WWW-Authenticate`, before. If the response has already
 * begun, closes the connection.
 */
export function sendProblem(response: ServerResponse, error: AppError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify(toProblem(error));
  Object.assign(response, { [CODE]: error.code });
  response.statusCode = error.status;
  response.setHeader('Content-Type', PROBLEM_CONTENT_TYPE);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  const retryAfterS = error.retryAfterS ?? (error.status === 503 ? RETRY_AFTER_S : undefined);
  if (retryAfterS !== undefined) response.setHeader('Retry-After', retryAfterS);
  if (error.status === 401 && !response.hasHeader('WWW-Authenticate')) {
    response.setHeader('WWW-Authenticate', 'Bearer realm="heliograph"');
  }
  response.end(body);
}
