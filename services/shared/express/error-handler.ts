import type { ErrorRequestHandler, Request } from 'express';
import { AppError, type ErrorCode, toAppError } from '../errors.ts';
import { sendProblem } from '../http/send-problem.ts';
import { LogLimit } from '../log-limit.ts';
import type { Logger } from '../logger.ts';
import { requestIdOf } from './request-id.ts';

/** Refusals of requests that any scanner sends. */
const NOT_LOGGED: ReadonlySet<ErrorCode> = new Set(['not_found', 'method_not_allowed']);

/**
 * Creates the error handler of an Express app. It responds to an `AppError` with its code; any other error is logged, and
 * only `internal_error` is sent. Refused origins are logged, at most once a minute.
 *
 * @param deps.logsRefusals whether other refused requests are logged too, each code at most once a minute: if the callers are
 *   known, and not the public. False by default
 */
export function createErrorHandler(deps: { logger: Logger; logsRefusals?: boolean }): ErrorRequestHandler {
  const { logger, logsRefusals = false } = deps;
  const limit = new LogLimit({ nowMs: () => performance.now() });

  function refused({ code, status }: AppError, request: Request): void {
    const isLogged = code === 'origin_forbidden' || (logsRefusals && !NOT_LOGGED.has(code));
    if (status >= 500 || !isLogged) return;
    limit.log(code, (times) => {
      const fields = { code, times, requestId: requestIdOf(request) };
      if (code !== 'origin_forbidden') return logger.warn(fields, 'refusing requests');
      const { origin, host, 'sec-fetch-site': site } = request.headers;
      const advice = 'refusing a page of another origin; a proxy must pass on Host unchanged';
      logger.warn({ ...fields, origin, host, site }, advice);
    });
  }

  // Express recognizes an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    if (request.socket.destroyed) return; // the client has disconnected, which is the error
    // Express throws it for a path that it cannot decode.
    const error =
      thrown instanceof URIError ? new AppError('invalid_request', 'The path is not valid percent-encoding') : thrown;
    if (error instanceof AppError) refused(error, request);
    else {
      const requestId = requestIdOf(request);
      logger.error({ err: error, path: request.path, requestId }, 'request failed unexpectedly');
    }
    sendProblem(response, toAppError(error));
  };
}
