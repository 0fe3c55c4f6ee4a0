import { ProxyTracerProvider, type Tracer } from '@opentelemetry/api';

/** A tracer that records nothing. */
export const NO_TRACER: Tracer = new ProxyTracerProvider().getTracer('nothing');
