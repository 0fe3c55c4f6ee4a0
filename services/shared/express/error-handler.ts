import type { ErrorRequestHandler } from 'express';
import { AppError, toAppError } from '../errors.ts';
import { sendProblem } from '../http/send-problem.ts';
import type { Logger } from '../logger.ts';
import { requestIdOf } from './request-id.ts';

/** Creates what answers every failed request: a known error with its code, any other is ours, logged and kept inside. */
export function createErrorHandler(deps: { logger: Logger }): ErrorRequestHandler {
  const { logger } = deps;
  // Express tells an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    if (request.socket.destroyed) return; // the caller is gone, and that is the error
    // Express throws it for what it cannot decode of a path.
    const error = thrown instanceof URIError ? new AppError('invalid_request', 'The path cannot be read') : thrown;
    if (!(error instanceof AppError)) {
      const requestId = requestIdOf(request);
      logger.error({ err: error, path: request.path, requestId }, 'a request failed unexpectedly');
    }
    sendProblem(response, toAppError(error));
  };
}
