import { describe, expect, it } from 'vitest';
import { defaultHost } from '../../../../services/shared/config/default-host.ts';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';
import { readProcessConfig } from '../../../../services/shared/config/process-config.ts';

describe('readProcessConfig', () => {
  it('has a default for everything; that of the admin port depends on the service', () => {
    expect(readProcessConfig(new EnvReader({}), { adminPort: 9102 })).toEqual({
      logLevel: 'info',
      logFormat: 'auto',
      isAllowedHost: expect.any(Function),
      adminPort: 9102,
      adminHost: defaultHost(),
      headerTimeoutMs: 10_000,
      drainWaitMs: 0,
      shutdownTimeoutMs: 45_000,
    });
  });

  it('reads every setting, and is frozen', () => {
    const env = {
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'json',
      ADMIN_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
      SHUTDOWN_TIMEOUT: '3s',
      DRAIN_WAIT: '2s',
      HEADER_TIMEOUT: '4s',
    };
    const config = readProcessConfig(new EnvReader(env), { adminPort: 9102 });
    expect(config).toEqual({
      logLevel: 'debug',
      logFormat: 'json',
      isAllowedHost: expect.any(Function),
      adminPort: 0,
      adminHost: '127.0.0.1',
      headerTimeoutMs: 4000,
      drainWaitMs: 2000,
      shutdownTimeoutMs: 3000,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });
});
