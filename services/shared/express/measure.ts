import type { RequestHandler } from 'express';

/** What is reported of each request to an Express app. */
export interface RequestReport {
  /** A request was answered with this HTTP status, or undefined where its sender went away before. */
  requestEnded(status: number | undefined, seconds: number): void;
  /** What came was no request and was answered so, or its connection was one too many. */
  requestRefused(status: number | 'dropped'): void;
}

/** Creates what reports how each request ended, and how long that took from its head on. */
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
