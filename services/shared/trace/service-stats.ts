import type { Tracer } from '@opentelemetry/api';
import type { RequestHandler } from 'express';
import { NO_TRACER } from './no-tracer.ts';

/** What a service records its work with. */
export interface ServiceStats {
  /** Takes times of the clock that never steps, in milliseconds, where a span does not begin or end now. */
  readonly tracer: Tracer;
  /** Records each request to an Express app; mounted before everything else. */
  readonly recordRequests: RequestHandler;
  /**
   * For work of which only little is recorded as spans, since there is so much of it. undefined where nothing is
   * recorded at all.
   */
  readonly bulk: BulkStats | undefined;
}

/** What a service does that its tracer would do for it, but dearer. */
export interface BulkStats {
  /** Counts a call that took so long, whether it is recorded or not. */
  count(name: string, ms: number, failed?: boolean): void;
  /** Whether something that took so long is among the slowest of late, and should be recorded though it is no sample. */
  isSlow(name: string, ms: number): boolean;
  /** Names who is told of traces that turned out to be worth keeping, somewhere else. */
  onTraceKept(listener: (traceId: string) => void): void;
}

/** The attribute of a span that is kept though its trace is no sample. */
export const KEPT = 'kept';

/** Records nothing. */
export const NO_STATS: ServiceStats = {
  tracer: NO_TRACER,
  recordRequests: (_request, _response, next) => next(),
  bulk: undefined,
};
