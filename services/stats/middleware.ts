import { type Context, context, ROOT_CONTEXT, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { Request, RequestHandler } from 'express';
import { noteFailure } from '../shared/trace/record.ts';
import { setContextOf } from '../shared/trace/request-context.ts';
import { parseTraceparent } from '../shared/trace/traceparent.ts';

const SERVER = { kind: SpanKind.SERVER };

/**
 * Creates what records each request to an Express app, with whatever is done for it. Mounted before everything else.
 * Where callers are trusted, a request becomes a part of the trace that its `traceparent` names (W3C Trace Context);
 * else anybody could have anything recorded. Where calls are followed, OpenTelemetry's API knows what is going on; else
 * `contextOf` does.
 */
export function createStatsMiddleware(deps: {
  tracer: Tracer;
  trustsCallers: boolean;
  followsCalls: boolean;
}): RequestHandler {
  const { tracer, trustsCallers, followsCalls } = deps;
  return (request, response, next) => {
    const parent = trustsCallers ? parentOf(request) : ROOT_CONTEXT;
    const span = tracer.startSpan(request.method, SERVER, parent);
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

/** Without the query: it may hold what is nobody's business. */
function pathOf(request: Request): string {
  return request.originalUrl.split('?', 1)[0] ?? '';
}

function end(span: Span, request: Request): void {
  const { res: response } = request;
  // By its route, of which there are only so many; the path itself is the caller's invention.
  const route: unknown = request.route?.path;
  span.updateName(`${request.method} ${typeof route === 'string' ? `${request.baseUrl}${route}` : '(no route)'}`);
  const status = response?.statusCode ?? 0;
  span.setAttributes({
    'http.request.method': request.method,
    'url.path': pathOf(request),
    'http.response.status_code': status,
    'http.request.id': String(response?.getHeader('X-Request-Id') ?? ''),
  });
  if (!response?.writableFinished) noteFailure(span, { code: 'aborted' });
  else if (status >= 500) noteFailure(span, { code: String(status) });
  span.end();
}
