import type { IncomingMessage } from 'node:http';
import type { Context } from '@opentelemetry/api';

const CONTEXT = Symbol('trace context of a request');

type TracedRequest = IncomingMessage & { [CONTEXT]?: Context };

/** Attaches the trace context under which a request is recorded. */
export function setContextOf(request: IncomingMessage, context: Context): void {
  (request as TracedRequest)[CONTEXT] = context;
}

/** Returns the trace context of a request; undefined if the request is not recorded. */
export function contextOf(request: IncomingMessage): Context | undefined {
  return (request as TracedRequest)[CONTEXT];
}
