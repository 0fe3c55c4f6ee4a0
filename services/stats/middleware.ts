import { type Context, context, ROOT_CONTEXT, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { Request } from 'express';
import { errorCodeOf } from '../shared/http/send-problem.ts';
import { noteFailure } from '../shared/trace/record.ts';
import { contextOf, onCallerVerified, setContextOf } from '../shared/trace/request-context.ts';
import { REFUSED, type RequestRecorder } from '../shared/trace/service-stats.ts';
import { parseTraceparent } from '../shared/trace/traceparent.ts';
import { watchRoute } from './route-pattern.ts';

const SERVER = { kind: SpanKind.SERVER };

/**
 * Counts a request that is not recorded.
 *
 * @param name method and route, such as `GET /items/:id`
 * @param ms duration in milliseconds
 * @param failed whether the status was 500 or higher, or the client disconnected
 * @param refusal a status from 400 to 499, with the error code if that is known, such as `404` or `401 unauthorized`; empty for
 *   any other
 */
export type CountRequest = (name: string, ms: number, failed: boolean, refusal: string) => void;

/**
 * Creates an Express middleware that records each request as a server span, named by method and route. Mount it before
 * everything else. It never fails a request, and throws nothing.
 *
 * @param deps.tracer creates the spans; any OpenTelemetry tracer, such as that of `createAppStats`
 * @param deps.trustsCallers whether a request continues the trace in its `traceparent` header (W3C Trace Context). Only
 *   for callers that you trust: others could have any request recorded. `verified`: once the service calls
 *   `callerVerified`; requests that end before that are traces of their own
 * @param deps.followsCalls whether the span is active in OpenTelemetry's API while the request is handled, so that calls
 *   made for it become its children; needs a context manager, as `createAppStats` or an OpenTelemetry SDK sets up
 * @param deps.count called for each request that is not recorded; by default these are not counted
 * @example
 * ```ts
 * import { trace } from '@opentelemetry/api';
 * import { createStatsMiddleware } from 'heliograph/stats/middleware';
 *
 * const tracer = trace.getTracer('shop');
 * app.use(createStatsMiddleware({ tracer, trustsCallers: false, followsCalls: true }));
 * ```
 */
export function createStatsMiddleware(deps: {
  tracer: Tracer;
  trustsCallers: boolean | 'verified';
  followsCalls: boolean;
  count?: CountRequest | undefined;
}): RequestRecorder {
  const { tracer, trustsCallers, followsCalls, count } = deps;
  return (incoming, response, next) => {
    const request = incoming as Request;
    const startTime = performance.now();
    const routeOf = watchRoute(request);
    // Uses the route, since the number of paths that callers can invent is unbounded.
    const nameOf = () => `${request.method} ${routeOf() ?? '(no route)'}`;
    let finish: (() => void) | undefined;
    const begin = (parent: Context): Context | undefined => {
      if (finish) return contextOf(request);
      const span = tracer.startSpan(request.method, { ...SERVER, startTime }, parent);
      if (!span.isRecording()) {
        finish = () => count?.(nameOf(), performance.now() - startTime, failureOf(request) !== '', refusalOf(request));
        return undefined;
      }
      finish = () => end(span, nameOf(), request);
      const recorded = trace.setSpan(parent, span);
      setContextOf(request, recorded);
      return recorded;
    };
    response.once('close', () => {
      begin(ROOT_CONTEXT);
      finish?.();
    });
    if (trustsCallers === 'verified') {
      onCallerVerified(request, () => begin(parentOf(request)));
      next();
      return;
    }
    const recorded = begin(trustsCallers ? parentOf(request) : ROOT_CONTEXT);
    if (followsCalls && recorded) context.with(recorded, next);
    else next();
  };
}

function parentOf(request: Request): Context {
  const parent = parseTraceparent(request.headers.traceparent);
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

/** Leaves out the query, which may contain secrets. */
function pathOf(request: Request): string {
  return request.originalUrl.split('?', 1)[0] ?? '';
}

/** Returns why a request failed; empty if it did not. */
function failureOf({ res: response }: Request): string {
  if (!response?.writableFinished) return 'aborted';
  return response.statusCode >= 500 ? String(response.statusCode) : '';
}

/** Returns status and error code of a refused request; empty if it was not refused. */
function refusalOf({ res: response }: Request): string {
  if (!response?.writableFinished || response.statusCode < 400 || response.statusCode >= 500) return '';
  return [response.statusCode, errorCodeOf(response)].filter((part) => part !== undefined).join(' ');
}

function end(span: Span, name: string, request: Request): void {
  const { res: response } = request;
  span.updateName(name);
  span.setAttributes({
    'http.request.method': request.method,
    'url.path': pathOf(request),
    'http.response.status_code': response?.statusCode ?? 0,
    'http.request.id': String(response?.getHeader('X-Request-Id') ?? ''),
  });
  const refusal = refusalOf(request);
  if (refusal !== '') span.setAttribute(REFUSED, refusal);
  const failure = failureOf(request);
  if (failure !== '') noteFailure(span, { code: failure });
  span.end();
}
