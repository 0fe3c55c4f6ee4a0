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
 * Runs `work` within a child span that ends with it, or without a span if there is no parent to record under.
 *
 * @param options.within the parent's context; by default the active one. Busy paths pass it explicitly, because tracking
 *   the active context slows down every promise of the process.
 * @returns the result of `work`; its error is noted in the span and thrown again
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

/** Marks a span as failed, with the code or name of the error. Messages are left out: they may contain private data. */
export function noteFailure(span: Span, error: unknown): void {
  const { code, name }: { code?: unknown; name?: unknown } = Object(error);
  const message = typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown';
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
