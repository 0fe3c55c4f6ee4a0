import type { ErrorRequestHandler } from 'express';
import { AppError, toAppError } from '../errors.ts';
import { sendProblem } from '../http/send-problem.ts';
import type { Logger } from '../logger.ts';
import { requestIdOf } from './request-id.ts';

/**
 * Creates the error handler of an Express app. It responds to an `AppError` with its code; any other error is logged, and
 * only `internal_error` is sent.
 */
export function createErrorHandler(deps: { logger: Logger }): ErrorRequestHandler {
  const { logger } = deps;
  // Express recognizes an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    if (request.socket.destroyed) return; // the client has disconnected, which is the error
    // Express throws it for a path that it cannot decode.
    const error =
      thrown instanceof URIError ? new AppError('invalid_request', 'The path is not valid percent-encoding') : thrown;
    if (!(error instanceof AppError)) {
      const requestId = requestIdOf(request);
      logger.error({ err: error, path: request.path, requestId }, 'request failed unexpectedly');
    }
    sendProblem(response, toAppError(error));
  };
}
