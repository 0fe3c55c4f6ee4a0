import { STATUS_CODES } from 'node:http';
import { AppError } from '../../../shared/errors.ts';
import type { HostRule } from '../../../shared/http/allowed-hosts.ts';
import { CLOSE_CODES, type CloseCode } from '../../../shared/protocol/close-codes.ts';
import { PROBLEM_CONTENT_TYPE, toProblem } from '../../../shared/protocol/problem.ts';
import type { HttpApp, HttpHandler, HttpResponse } from '../../engine/engine.ts';

/** Returns the headers that allow pages of an origin to read a response. */
export type CorsHeaders = (origin: string, host: string) => Readonly<Record<string, string>>;

const RETRY_AFTER_S = '2';
const PREFLIGHT_MAX_AGE_S = '7200';
/** Headers that pages may send: those that a relay reads, and those that browsers, tracing and libraries add to each request. */
const REQUEST_HEADERS =
  'authorization, baggage, b3, cache-control, if-none-match, last-event-id, pragma, prefer, sentry-trace, traceparent, tracestate, x-requested-with';
/** Families of such headers, whose names are open-ended. */
const REQUEST_HEADER_FAMILY = /^(?:hx|x-b3|x-datadog)-[a-z-]{1,64}$/;
const MAX_FAMILY_HEADERS = 16;

/** Ends a response with an error (RFC 9457). `isHead` leaves out the body. */
export function sendProblem(
  res: HttpResponse,
  error: AppError,
  headers: Readonly<Record<string, string>> = {},
  isHead = false,
): void {
  const body = JSON.stringify(toProblem(error));
  res.cork(() => {
    res.writeStatus(`${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`);
    writeHeaders(res, headers);
    if (error.code === 'rebalancing') res.writeHeader('Retry-After', '0');
    else if (error.status === 429 || error.status === 503) res.writeHeader('Retry-After', RETRY_AFTER_S);
    if (error.status === 401) res.writeHeader('WWW-Authenticate', 'Bearer');
    res.writeHeader('Content-Type', PROBLEM_CONTENT_TYPE);
    res.writeHeader('Cache-Control', 'no-store');
    if (!('X-Content-Type-Options' in headers)) res.writeHeader('X-Content-Type-Options', 'nosniff');
    if (isHead) endHead(res, body);
    // Closes the connection, so that the next request reaches another relay.
    else res.end(body, error.code === 'draining' || error.code === 'rebalancing');
  });
}

/**
 * Answers every request under a path that no other handler serves with an error. A response to HEAD has no body
 * (RFC 9110, section 9.3.2): proxies would take it for the start of the next response.
 */
export function serveProblem(
  app: HttpApp,
  path: string,
  error: AppError,
  headers: Readonly<Record<string, string>> = {},
): void {
  app.any(path, (res, req) => sendProblem(res, error, headers, req.getMethod() === 'head'));
}

/** Returns the paths of an app for requests to allowed hosts; all others are answered with `host_forbidden`. */
export function forHosts(app: HttpApp, isAllowedHost: HostRule, refused: (refusal: AppError) => void): HttpApp {
  const guard =
    (handler: HttpHandler): HttpHandler =>
    (res, req) => {
      if (isAllowedHost(req.getHeader('host'))) return handler(res, req);
      const refusal = new AppError('host_forbidden');
      refused(refusal);
      sendProblem(res, refusal, {}, req.getMethod() === 'head');
    };
  return {
    get: (path, handler) => app.get(path, guard(handler)),
    head: (path, handler) => app.head(path, guard(handler)),
    options: (path, handler) => app.options(path, guard(handler)),
    any: (path, handler) => app.any(path, guard(handler)),
  };
}

/** Allows pages of allowed origins to send our request headers and read our response headers (Fetch standard, "CORS protocol"). */
export function servePreflight(app: HttpApp, deps: { path: string; corsHeaders: CorsHeaders }): void {
  app.options(deps.path, (res, req) => {
    const cors = deps.corsHeaders(req.getHeader('origin'), req.getHeader('host'));
    res.writeStatus('204 No Content');
    writeHeaders(res, cors);
    if (cors['Access-Control-Allow-Origin'] !== undefined) {
      res.writeHeader('Access-Control-Allow-Methods', 'GET');
      const requested = req.getHeader('access-control-request-headers');
      res.writeHeader('Access-Control-Allow-Headers', [REQUEST_HEADERS, ...familyHeadersIn(requested)].join(', '));
      res.writeHeader('Access-Control-Max-Age', PREFLIGHT_MAX_AGE_S);
    }
    res.endWithoutBody();
  });
}

/** Returns the allowed ones of the headers that a page wants to send, as HX-Request of htmx. */
function familyHeadersIn(requested: string): readonly string[] {
  const names = requested.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => REQUEST_HEADER_FAMILY.test(name)).slice(0, MAX_FAMILY_HEADERS);
}

/** Ends a response to HEAD with the length that the body of GET has. */
export function endHead(res: HttpResponse, body: string | Buffer): void {
  // Not `endWithoutBody(length)`: after that, uWebSockets.js waits for the body.
  res.writeHeader('Content-Length', String(Buffer.byteLength(body)));
  res.endWithoutBody();
}

/**
 * Makes a response one to HEAD: what the handler of GET writes as its body is left out. An end has the length of the body;
 * a stream ends instead of its first chunk, and its handler of `onAborted` is called.
 */
export function omitBody(res: HttpResponse): HttpResponse {
  let aborted = () => {};
  const onAborted = res.onAborted.bind(res);
  res.onAborted = (handler) => {
    aborted = handler;
    return onAborted(handler);
  };
  res.end = (body = '', closeConnection = false) => {
    if (closeConnection) res.writeHeader('Connection', 'close');
    endHead(res, body);
  };
  res.write = () => {
    res.endWithoutBody();
    aborted();
    return true;
  };
  return res;
}

/** Writes headers, after the status and before the body. */
export function writeHeaders(res: HttpResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
}

/** Maps the close code and reason of a WebSocket to the error of an HTTP response. */
export function errorForClose(code: CloseCode, reason: string): AppError {
  if (code === CLOSE_CODES.unauthorized) return new AppError('unauthorized');
  if (code === CLOSE_CODES.forbidden) return new AppError('topic_forbidden');
  if (code === CLOSE_CODES.full) return new AppError(reason === 'relay_full' ? reason : 'keys_unavailable');
  return new AppError('not_fresh');
}
