import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { readRelayProcessConfig } from '../../../services/relay/config.ts';
import { EnvReader } from '../../../services/shared/config/env-reader.ts';

function read(env: Record<string, string>) {
  const reader = new EnvReader({ REDIS_URL: 'redis://localhost', ...env });
  const config = readRelayProcessConfig(reader);
  reader.finish();
  return config;
}

describe('the number of relay processes', () => {
  it('is one, the configured number, or the number of cores', () => {
    expect(read({}).processes).toBe(1);
    expect(read({ RELAY_PROCESSES: '3' }).processes).toBe(3);
    expect(read({ RELAY_PROCESSES: 'auto' }).processes).toBe(availableParallelism());
  });

  it.each(['0', '257', '-1', '1.5', 'all'])('is never %s', (text) => {
    expect(() => read({ RELAY_PROCESSES: text })).toThrow('RELAY_PROCESSES must be a whole number from 1 to 256');
  });

  it('above one needs a fixed port', () => {
    expect(() => read({ RELAY_PROCESSES: '2', RELAY_PORT: '0' })).toThrow(/RELAY_PORT must not be 0/);
    expect(read({ RELAY_PORT: '0' }).relay.port).toBe(0);
  });
});
