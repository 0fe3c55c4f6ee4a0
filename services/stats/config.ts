import type { EnvReader } from '../shared/config/env-reader.ts';

/** What call statistics need to know. */
export interface StatsConfig {
  /** What opens the pages; undefined where there are none, and nothing is kept for them. */
  readonly token: string | undefined;
  /** Which part of the requests is a sample, from 0 to 1; 0 records nothing at all. */
  readonly sampleRate: number;
  /** How spans are sent to a tracing system; undefined where they are not. */
  readonly otlp: 'http/protobuf' | 'http/json' | undefined;
}

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;

/** Reads what call statistics need. Where the tracing system is, and what it wants, its library reads by itself. */
export function readStatsConfig(env: EnvReader): StatsConfig {
  const token = env.token('STATS_TOKEN');
  const endpoints = [
    env.url('OTEL_EXPORTER_OTLP_ENDPOINT', { default: '' }),
    env.url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', { default: '' }),
  ];
  const protocol = env.oneOf('OTEL_EXPORTER_OTLP_PROTOCOL', PROTOCOLS, 'http/protobuf');
  const disabled = env.boolean('OTEL_SDK_DISABLED', false);
  const sends = endpoints.some((endpoint) => endpoint !== '') && !disabled;
  return Object.freeze({ token, sampleRate: readSampleRate(env), otlp: sends ? protocol : undefined });
}

function readSampleRate(env: EnvReader): number {
  const text = env.string('STATS_SAMPLE_RATE', '0.01');
  const rate = /^(?:0|1|[01]?\.\d{1,9})$/.test(text) ? Number(text) : Number.NaN;
  if (rate >= 0 && rate <= 1) return rate;
  env.fail('STATS_SAMPLE_RATE', 'must be a number from 0 to 1, such as 0.01');
  return 0;
}
