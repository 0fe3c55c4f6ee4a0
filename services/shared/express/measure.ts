import type { RequestHandler } from 'express';
import type { ErrorCode } from '../errors.ts';
import { errorCodeOf } from '../http/send-problem.ts';

/** Observes the requests to an Express app. */
export interface RequestReport {
  /** A request ended with this HTTP status; undefined if the client disconnected before the response was complete. */
  requestEnded(status: number | undefined, seconds: number, code?: ErrorCode): void;
  /** Input was refused with this status before it reached the app, or a connection was dropped because of the limit. */
  requestRefused(status: number | 'dropped', code?: ErrorCode): void;
}

/** Creates middleware that reports the status of each request, and the time from its headers to the end of the response. */
export function createMeasure(deps: { report: RequestReport }): RequestHandler {
  return (_request, response, next) => {
    const begun = performance.now();
    response.once('close', () => {
      const status = response.writableFinished ? response.statusCode : undefined;
      deps.report.requestEnded(status, (performance.now() - begun) / 1000, errorCodeOf(response));
    });
    next();
  };
}
