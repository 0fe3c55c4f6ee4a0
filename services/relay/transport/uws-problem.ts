import type { HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { AppError } from '../../shared/errors.ts';
import { PROBLEM_CONTENT_TYPE, toProblem } from '../../shared/protocol/problem.ts';

const RETRY_AFTER_S = '2';

/** Answers a request with an error (RFC 9457). */
export function sendProblem(res: HttpResponse, error: AppError, headers: Readonly<Record<string, string>> = {}): void {
  res.cork(() => {
    res.writeStatus(`${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`);
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    if (error.status === 429 || error.status === 503) res.writeHeader('Retry-After', RETRY_AFTER_S);
    res.writeHeader('Content-Type', PROBLEM_CONTENT_TYPE);
    res.writeHeader('Cache-Control', 'no-store');
    res.end(JSON.stringify(toProblem(error)));
  });
}
