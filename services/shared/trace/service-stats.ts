import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Tracer } from '@opentelemetry/api';
import { NO_TRACER } from './no-tracer.ts';

/** Middleware for an Express app, in types that need none of Express. */
export type RequestRecorder = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** The recording of one service: spans, requests, and operations that are too frequent for spans. */
export interface ServiceStats {
  /** Explicit start and end times of its spans are milliseconds of the monotonic clock. */
  readonly tracer: Tracer;
  /** Records every request to an Express app. Mount it before all other middleware. */
  readonly recordRequests: RequestRecorder;
  /** Undefined if nothing is recorded. */
  readonly bulk: BulkStats | undefined;
}

/** Recording of operations that are too frequent to give each of them a span. */
export interface BulkStats {
  /**
   * Counts one call that took `ms` milliseconds, whether a span is recorded for it or not.
   *
   * @param refusal status and error code of a refused call
   */
  count(name: string, ms: number, failed?: boolean, refusal?: string): void;
  /** Returns whether a call of `ms` milliseconds is among the slowest recent ones, and so deserves a span. */
  isSlow(name: string, ms: number): boolean;
  /** Calls `listener` with the id of each trace that another process has decided to keep. */
  onTraceKept(listener: (traceId: string) => void): void;
}

/** The span attribute that gives the reason to keep a trace that was not sampled. */
export const KEPT = 'kept';

/** The span attribute of a refused request: its status and error code, such as `401 unauthorized`. */
export const REFUSED = 'refused';

/** Records nothing. */
export const NO_STATS: ServiceStats = {
  tracer: NO_TRACER,
  recordRequests: (_request, _response, next) => next(),
  bulk: undefined,
};
