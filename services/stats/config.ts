import type { BlockList } from 'node:net';
import type { EnvReader } from '../shared/config/env-reader.ts';
import { readRelayUrl, readTrustedProxies } from '../shared/config/process-config.ts';

/** Configuration of call statistics. */
export interface StatsConfig {
  /** Token for the pages; undefined if there are no pages, and nothing is stored for them. */
  readonly token: string | undefined;
  /** Proxies whose `X-Forwarded-For` is trusted. */
  readonly trustedProxies: BlockList;
  /** URL of the relays for browsers; undefined if it is not configured. */
  readonly relayUrl: string | undefined;
  /** Part of the requests that are samples, from 0 to 1; with 0 nothing at all is recorded. */
  readonly sampleRate: number;
  /** Protocol for the export of spans; undefined if they are not exported. */
  readonly otlp: 'http/protobuf' | 'http/json' | undefined;
}

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;

/**
 * Reads the configuration. The other `OTEL_…` variables are read by OpenTelemetry's exporter itself.
 *
 * @param fallback.token used if the environment has no token
 */
export function readStatsConfig(env: EnvReader, fallback: { token?: string } = {}): StatsConfig {
  const token = env.token('STATS_TOKEN') ?? fallback.token;
  const endpoints = [
    env.url('OTEL_EXPORTER_OTLP_ENDPOINT', { default: '' }),
    env.url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', { default: '' }),
  ];
  const protocol = env.oneOf('OTEL_EXPORTER_OTLP_PROTOCOL', PROTOCOLS, 'http/protobuf');
  const disabled = env.boolean('OTEL_SDK_DISABLED', false);
  const exports = endpoints.some((endpoint) => endpoint !== '') && !disabled;
  return Object.freeze({
    token,
    trustedProxies: readTrustedProxies(env),
    relayUrl: readRelayUrl(env),
    sampleRate: readSampleRate(env),
    otlp: exports ? protocol : undefined,
  });
}

function readSampleRate(env: EnvReader): number {
  const text = env.string('STATS_SAMPLE_RATE', '0.01');
  const rate = /^(?:0|1|[01]?\.\d{1,9})$/.test(text) ? Number(text) : Number.NaN;
  if (rate >= 0 && rate <= 1) return rate;
  env.fail('STATS_SAMPLE_RATE', 'must be a number from 0 to 1, such as 0.01');
  return 0;
}
