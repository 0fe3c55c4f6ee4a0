import { describe, expect, it } from 'vitest';
import { readOutboxConfig } from '../../../services/outbox/config.ts';
import { EnvReader } from '../../../services/shared/config/env-reader.ts';

const REQUIRED = { DATABASE_URL: 'postgres://user:password@localhost/shop', WEBHOOK_TOKEN: 'a-token-of-the-tests' };

describe('readOutboxConfig', () => {
  it('has a default for everything except the database and the credential', () => {
    const env = new EnvReader(REQUIRED);
    expect(readOutboxConfig(env)).toEqual({
      databaseUrl: REQUIRED.DATABASE_URL,
      webhookUrl: undefined,
      webhookTimeoutMs: 3000,
      credential: { token: REQUIRED.WEBHOOK_TOKEN },
      pollMs: 5000,
      batchRows: 500,
    });
    env.finish();
  });

  it.each(['', 'localhost', 'mysql://localhost/shop', 'postgres://[', 'redis://localhost'])(
    'refuses the database "%s"',
    (url) => {
      const env = new EnvReader({ ...REQUIRED, DATABASE_URL: url });
      readOutboxConfig(env);
      expect(() => env.finish()).toThrow('DATABASE_URL must be a URL that starts with postgres://');
    },
  );

  it.each([
    ['OUTBOX_POLL', '0s'],
    ['OUTBOX_BATCH', '0'],
    ['OUTBOX_BATCH', '1001'],
    ['WEBHOOK_SECRET', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  ])('refuses %s=%s', (name, value) => {
    const env = new EnvReader({ ...REQUIRED, [name]: value });
    readOutboxConfig(env);
    expect(() => env.finish()).toThrow(/1 problem/);
  });
});
