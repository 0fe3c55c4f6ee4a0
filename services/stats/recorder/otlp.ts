import { BatchSpanProcessor, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';
import type { StatsConfig } from '../config.ts';

/**
 * Creates the processor that exports samples to a tracing system, in the background. The exporter reads endpoint,
 * headers, certificates and timeouts from the standard `OTEL_EXPORTER_OTLP_…` variables.
 */
export async function createOtlpProcessor(protocol: NonNullable<StatsConfig['otlp']>): Promise<SpanProcessor> {
  return new BatchSpanProcessor({ exporter: await createExporter(protocol), scheduledDelayMillis: 1000 });
}

async function createExporter(protocol: NonNullable<StatsConfig['otlp']>): Promise<SpanExporter> {
  if (protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
    return new OTLPTraceExporter();
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}
