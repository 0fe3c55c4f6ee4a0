import { type Context, context, ROOT_CONTEXT, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { Request, RequestHandler } from 'express';
import { noteFailure } from '../shared/trace/record.ts';
import { setContextOf } from '../shared/trace/request-context.ts';
import { parseTraceparent } from '../shared/trace/traceparent.ts';

const SERVER = { kind: SpanKind.SERVER };

/** Counts a request that is not recorded. */
export type CountRequest = (name: string, ms: number, failed: boolean) => void;

/**
 * Creates what records each request to an Express app, with whatever is done for it. Mounted before everything else.
 * Where callers are trusted, a request becomes a part of the trace that its `traceparent` names (W3C Trace Context);
 * else anybody could have anything recorded. Where calls are followed, OpenTelemetry's API knows what is going on; else
 * `contextOf` does. Requests that are too many to be recorded are counted all the same, where there is a `count`.
 */
export function createStatsMiddleware(deps: {
  tracer: Tracer;
  trustsCallers: boolean;
  followsCalls: boolean;
  count?: CountRequest | undefined;
}): RequestHandler {
  const { tracer, trustsCallers, followsCalls, count } = deps;
  return (request, response, next) => {
    const parent = trustsCallers ? parentOf(request) : ROOT_CONTEXT;
    const span = tracer.startSpan(request.method, SERVER, parent);
    if (!span.isRecording()) {
      const beganAtMs = performance.now();
      response.once('close', () => count?.(nameOf(request), performance.now() - beganAtMs, failureOf(request) !== ''));
      next();
      return;
    }
    response.once('close', () => end(span, request));
    const recorded = trace.setSpan(parent, span);
    setContextOf(request, recorded);
    if (followsCalls) context.with(recorded, next);
    else next();
  };
}

function parentOf(request: Request): Context {
  const parent = parseTraceparent(request.headers.traceparent);
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

/** By its route, of which there are only so many; the path itself is the caller's invention. */
function nameOf(request: Request): string {
  const route: unknown = request.route?.path;
  return `${request.method} ${typeof route === 'string' ? `${request.baseUrl}${route}` : '(no route)'}`;
}

/** Without the query: it may hold what is nobody's business. */
function pathOf(request: Request): string {
  return request.originalUrl.split('?', 1)[0] ?? '';
}

/** Why a request failed; empty where it did not. */
function failureOf({ res: response }: Request): string {
  if (!response?.writableFinished) return 'aborted';
  return response.statusCode >= 500 ? String(response.statusCode) : '';
}

function end(span: Span, request: Request): void {
  const { res: response } = request;
  span.updateName(nameOf(request));
  span.setAttributes({
    'http.request.method': request.method,
    'url.path': pathOf(request),
    'http.response.status_code': response?.statusCode ?? 0,
    'http.request.id': String(response?.getHeader('X-Request-Id') ?? ''),
  });
  const failure = failureOf(request);
  if (failure !== '') noteFailure(span, { code: failure });
  span.end();
}
