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

const VERIFIED = Symbol('called when the caller of a request is verified');

type UnverifiedRequest = IncomingMessage & { [VERIFIED]?: () => Context | undefined };

/** Sets what `callerVerified` calls: begins to record the request, within the trace of its caller. */
export function onCallerVerified(request: IncomingMessage, begin: () => Context | undefined): void {
  (request as UnverifiedRequest)[VERIFIED] = begin;
}

/** Notes that the caller of a request is verified. Returns the context of the request; undefined if it is not recorded. */
export function callerVerified(request: IncomingMessage): Context | undefined {
  return (request as UnverifiedRequest)[VERIFIED]?.() ?? contextOf(request);
}
