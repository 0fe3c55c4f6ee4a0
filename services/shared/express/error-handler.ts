import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import { AppError, toAppError } from '../errors.ts';
import { sendProblem } from '../http/send-problem.ts';
import type { Logger } from '../logger.ts';
import { requestIdOf } from './request-id.ts';

/** Refused origins are logged once in this time: any page can cause them. */
const REPEAT_MS = 60_000;

/**
 * Creates the error handler of an Express app. It responds to an `AppError` with its code; any other error is logged, and
 * only `internal_error` is sent. Refused origins are logged, at most once a minute.
 */
export function createErrorHandler(deps: { logger: Logger }): ErrorRequestHandler {
  const { logger } = deps;
  let quietUntilMs = 0;

  function originRefused(headers: IncomingHttpHeaders): void {
    const nowMs = performance.now();
    if (nowMs < quietUntilMs) return;
    quietUntilMs = nowMs + REPEAT_MS;
    const { origin, host, 'sec-fetch-site': site } = headers;
    logger.warn({ origin, host, site }, 'refusing a page of another origin; a proxy must pass on Host unchanged');
  }

  // Express recognizes an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    if (request.socket.destroyed) return; // the client has disconnected, which is the error
    // Express throws it for a path that it cannot decode.
    const error =
      thrown instanceof URIError ? new AppError('invalid_request', 'The path is not valid percent-encoding') : thrown;
    if (!(error instanceof AppError)) {
      const requestId = requestIdOf(request);
      logger.error({ err: error, path: request.path, requestId }, 'request failed unexpectedly');
    } else if (error.code === 'origin_forbidden') originRefused(request.headers);
    sendProblem(response, toAppError(error));
  };
}
