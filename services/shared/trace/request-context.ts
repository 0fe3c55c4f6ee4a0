import type { IncomingMessage } from 'node:http';
import type { Context } from '@opentelemetry/api';

const CONTEXT = Symbol('what is being recorded of a request');

type Recorded = IncomingMessage & { [CONTEXT]?: Context };

/** Notes what is being recorded of a request. */
export function setContextOf(request: IncomingMessage, context: Context): void {
  (request as Recorded)[CONTEXT] = context;
}

/** What is being recorded of a request; undefined where nothing is. */
export function contextOf(request: IncomingMessage): Context | undefined {
  return (request as Recorded)[CONTEXT];
}
