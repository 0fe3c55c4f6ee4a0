import type { ErrorRequestHandler } from 'express';
import { AppError } from '../errors.ts';
import type { Logger } from '../process/logger.ts';
import { sendProblem } from '../process/send-problem.ts';
import { requestIdOf } from './request-id.ts';

/** Creates what answers every failed request: a known error with its code, any other is ours, logged and kept inside. */
export function createErrorHandler(deps: { logger: Logger }): ErrorRequestHandler {
  const { logger } = deps;
  // Express tells an error handler by its four parameters.
  return (error: unknown, request, response, _next) => {
    if (request.socket.destroyed) return; // the caller is gone, and that is the error
    if (!(error instanceof AppError)) {
      const requestId = requestIdOf(request);
      logger.error({ err: error, path: request.path, requestId }, 'a request failed unexpectedly');
    }
    sendProblem(response, error instanceof AppError ? error : new AppError('internal_error'));
  };
}
