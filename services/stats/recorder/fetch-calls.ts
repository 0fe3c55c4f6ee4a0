import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { context, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import { noteFailure } from '../../shared/trace/record.ts';
import { formatTraceparent } from '../../shared/trace/traceparent.ts';

/** A request in the diagnostics channels of Node's `fetch` (https://undici.nodejs.org, "Diagnostics Channel Support"). */
interface FetchRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  readonly headers: readonly string[] | string;
  addHeader(name: string, value: string): void;
}

interface FetchMessage {
  readonly request: FetchRequest;
  readonly response?: { readonly statusCode: number };
  readonly error?: unknown;
}

/**
 * Records each `fetch` that is made while a recorded request is active, and adds a `traceparent` header to it, without
 * any code in the app.
 */
export class FetchCalls {
  /** Returns the tracer that recorded a span; undefined if it is not one of this process. */
  readonly #tracerOf: (parent: Span) => Tracer | undefined;
  readonly #spans = new WeakMap<FetchRequest, Span>();

  constructor(deps: { tracerOf: (parent: Span) => Tracer | undefined }) {
    this.#tracerOf = deps.tracerOf;
  }

  start(): void {
    subscribe('undici:request:create', this.#create);
    subscribe('undici:request:headers', this.#headers);
    subscribe('undici:request:trailers', this.#trailers);
    subscribe('undici:request:error', this.#error);
  }

  stop(): void {
    unsubscribe('undici:request:create', this.#create);
    unsubscribe('undici:request:headers', this.#headers);
    unsubscribe('undici:request:trailers', this.#trailers);
    unsubscribe('undici:request:error', this.#error);
  }

  readonly #create = (message: unknown): void => {
    const { request } = message as FetchMessage;
    const parent = trace.getSpan(context.active());
    const tracer = parent && this.#tracerOf(parent);
    if (!tracer) return;
    const { method, path } = request;
    const { origin, host } = new URL(String(request.origin));
    const url = `${origin}${path.split('?', 1)[0]}`;
    const attributes = { 'http.request.method': method, 'url.full': url };
    const span = tracer.startSpan(`${method} ${host}`, { kind: SpanKind.CLIENT, attributes });
    this.#spans.set(request, span);
    const names = String(request.headers).toLowerCase();
    if (!names.includes('traceparent')) request.addHeader('traceparent', formatTraceparent(span.spanContext()));
  };

  readonly #headers = (message: unknown): void => {
    const { request, response } = message as FetchMessage;
    const span = this.#spans.get(request);
    if (!span || !response) return;
    span.setAttribute('http.response.status_code', response.statusCode);
    if (response.statusCode >= 400) noteFailure(span, { code: String(response.statusCode) });
  };

  readonly #trailers = (message: unknown): void => {
    this.#spans.get((message as FetchMessage).request)?.end();
  };

  readonly #error = (message: unknown): void => {
    const { request, error } = message as FetchMessage;
    const span = this.#spans.get(request);
    if (!span) return;
    noteFailure(span, error);
    span.end();
  };
}
