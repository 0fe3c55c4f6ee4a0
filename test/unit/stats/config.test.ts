import { describe, expect, it } from 'vitest';
import { EnvReader } from '../../../services/shared/config/env-reader.ts';
import { readStatsConfig } from '../../../services/stats/config.ts';

function read(env: Record<string, string>) {
  const reader = new EnvReader(env);
  const config = readStatsConfig(reader);
  reader.finish();
  return config;
}

describe('the settings of call statistics', () => {
  it('are off by default', () => {
    expect(read({})).toEqual({
      token: undefined,
      trustedProxies: expect.anything(),
      sampleRate: 0.01,
      otlp: undefined,
    });
  });

  it('export to the configured endpoint and by the configured protocol, unless disabled', () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
    expect(read(endpoint).otlp).toBe('http/protobuf');
    expect(read({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }).otlp).toBe('http/json');
    expect(read({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector/v1/traces' }).otlp).toBe('http/protobuf');
    expect(read({ ...endpoint, OTEL_SDK_DISABLED: 'true' }).otlp).toBeUndefined();
  });

  it.each(['0', '1', '0.5', '.25', '0.000001', '1.0'])('accept the sample rate %s', (rate) => {
    expect(read({ STATS_SAMPLE_RATE: rate }).sampleRate).toBe(Number(rate));
  });

  it.each([
    [{ STATS_SAMPLE_RATE: '1.5' }, /STATS_SAMPLE_RATE must be a number from 0 to 1/],
    [{ STATS_SAMPLE_RATE: '-1' }, /STATS_SAMPLE_RATE/],
    [{ STATS_SAMPLE_RATE: 'often' }, /STATS_SAMPLE_RATE/],
    [{ STATS_SAMPLE_RATE: '1e-3' }, /STATS_SAMPLE_RATE/],
    [{ STATS_TOKEN: 'two words are no token' }, /STATS_TOKEN must have at least 16 characters of printable ASCII/],
    [{ STATS_TOKEN: 'x'.repeat(15) }, /STATS_TOKEN must have at least 16 characters/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' }, /OTEL_EXPORTER_OTLP_ENDPOINT must be a URL/],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /OTEL_EXPORTER_OTLP_PROTOCOL must be one of/],
  ])('reject %j', (env, problem) => {
    expect(() => read(env as Record<string, string>)).toThrow(problem);
  });
});
