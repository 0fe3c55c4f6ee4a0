import { ProxyTracerProvider, type Tracer } from '@opentelemetry/api';

/** Records nothing. */
export const NO_TRACER: Tracer = new ProxyTracerProvider().getTracer('nothing');
