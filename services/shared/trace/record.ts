import {
  type Context,
  context,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

/**
 * Does some work as a part of what is being recorded, as a span that ends with it. Where nothing is being recorded, it
 * is only the work. On busy paths what is being recorded is handed in, as `within`: to have it known everywhere costs
 * every promise.
 */
export async function record<T>(
  tracer: Tracer,
  name: string,
  options: SpanOptions & { readonly within?: Context | undefined },
  work: (span: Span | undefined) => Promise<T> | T,
): Promise<T> {
  const { within = context.active() } = options;
  if (trace.getSpan(within) === undefined) return work(undefined);
  const span = tracer.startSpan(name, options, within);
  try {
    return await work(span);
  } catch (error) {
    noteFailure(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Notes in a span why it failed: the code where the error has one, since messages may hold what is nobody's business. */
export function noteFailure(span: Span, error: unknown): void {
  const { code, name }: { code?: unknown; name?: unknown } = Object(error);
  const message = typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown';
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
