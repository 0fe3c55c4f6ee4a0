import type { RequestHandler } from 'express';

/** Observes the requests to an Express app. */
export interface RequestReport {
  /** A request ended with this HTTP status; undefined if the client disconnected before the response was complete. */
  requestEnded(status: number | undefined, seconds: number): void;
  /** Malformed input was refused with this status, or a connection was dropped because of the limit. */
  requestRefused(status: number | 'dropped'): void;
}

/** Creates middleware that reports the status of each request, and the time from its headers to the end of the response. */
export function createMeasure(deps: { report: RequestReport }): RequestHandler {
  return (_request, response, next) => {
    const begun = performance.now();
    response.once('close', () => {
      const status = response.writableFinished ? response.statusCode : undefined;
      deps.report.requestEnded(status, (performance.now() - begun) / 1000);
    });
    next();
  };
}
