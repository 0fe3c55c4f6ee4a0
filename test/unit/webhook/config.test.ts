import { describe, expect, it } from 'vitest';
import { defaultHost } from '../../../services/shared/config/default-host.ts';
import { type Environment, EnvReader } from '../../../services/shared/config/env-reader.ts';
import { readWebhookConfig, readWebhookProcessConfig } from '../../../services/webhook/config.ts';
import { sourcesFile } from '../../support/sources-file.ts';

const ONE = 'the-first-token-here';
const TWO = 'the-second-token-here';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

function finish(env: Environment, read: (reader: EnvReader) => unknown): void {
  const reader = new EnvReader(env);
  read(reader);
  reader.finish();
}

describe('readWebhookConfig', () => {
  it('has a default for everything except the tokens', () => {
    expect(readWebhookConfig(new EnvReader({ WEBHOOK_TOKENS: ONE }))).toEqual({
      host: defaultHost(),
      port: 8090,
      isAllowedHost: expect.any(Function),
      headerTimeoutMs: 10_000,
      tokens: [ONE],
      secrets: [],
      sources: new Map(),
      pointsPerSecond: 1000,
      maxStoredBytes: 64 * 1024 ** 2,
      dataTtlMs: 3_600_000,
      trustedProxies: expect.anything(),
      maxWaitingCalls: 100,
      legacy: false,
      defaultTopic: 'default',
    });
  });

  it('reads every setting, and is frozen', () => {
    const env = new EnvReader({
      WEBHOOK_HOST: '127.0.0.1',
      WEBHOOK_PORT: '0',
      WEBHOOK_TOKENS: `${ONE}, ${TWO}`,
      LEGACY_WEBHOOK: 'true',
      WEBHOOK_SECRETS: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx@chat/*|news',
      WEBHOOK_SOURCES: sourcesFile({
        shop: { verify: 'stripe', secrets: ['a secret of the tests'], topic: 'shop' },
      }),
      WEBHOOK_RATE: '5',
      WEBHOOK_STORAGE: '8MiB',
      DATA_RETENTION: '2m',
      TRUSTED_PROXIES: '10.0.0.0/8',
      MAX_WAITING_CALLS: '7',
      DEFAULT_TOPIC: 'chat',
    });
    const config = readWebhookConfig(env, { token: 'unused' });
    expect(config).toEqual({
      host: '127.0.0.1',
      port: 0,
      isAllowedHost: expect.any(Function),
      headerTimeoutMs: 10_000,
      tokens: [ONE, TWO],
      secrets: [expect.anything(), expect.anything()],
      sources: new Map([['shop', expect.objectContaining({ name: 'shop', verify: 'stripe' })]]),
      pointsPerSecond: 5,
      maxStoredBytes: 8 * 1024 ** 2,
      dataTtlMs: 120_000,
      trustedProxies: expect.anything(),
      maxWaitingCalls: 7,
      legacy: true,
      defaultTopic: 'chat',
    });
    expect(Object.isFrozen(config) && Object.isFrozen(config.tokens)).toBe(true);
    expect(() => env.finish()).not.toThrow();
  });

  it.each([{}, { WEBHOOK_TOKENS: '' }, { WEBHOOK_TOKENS: ' , ' }])('requires a token or a secret: %j', (env) => {
    expect(() => finish(env, readWebhookConfig)).toThrow('WEBHOOK_TOKENS must contain a token');
  });

  it('uses the fallback token if there is none', () => {
    const env = new EnvReader({});
    expect(readWebhookConfig(env, { token: 'random' }).tokens).toEqual(['random']);
    expect(() => env.finish()).not.toThrow();
  });

  it.each(['x'.repeat(15), `${ONE},short`])('rejects a token that could be guessed: %s', (tokens) => {
    expect(() => finish({ WEBHOOK_TOKENS: tokens }, readWebhookConfig)).toThrow('at least 16 characters');
  });

  it('rejects the same token or secret twice, also with other topics', () => {
    const tokens = () => finish({ WEBHOOK_TOKENS: `${ONE},${TWO},${ONE}` }, readWebhookConfig);
    expect(tokens).toThrow('WEBHOOK_TOKENS must not contain the same token twice');
    const secrets = () => finish({ WEBHOOK_SECRETS: `${SECRET},${SECRET}@chat` }, readWebhookConfig);
    expect(secrets).toThrow('WEBHOOK_SECRETS must not contain the same secret twice');
  });

  it.each(['one two three four', 'caf\u00e9'.repeat(5), `${ONE},${ONE}\t${TWO}`])(
    'rejects a token that cannot be sent in a header: %j',
    (tokens) => {
      expect(() => finish({ WEBHOOK_TOKENS: tokens }, readWebhookConfig)).toThrow('printable ASCII');
    },
  );

  it.each([
    'secret',
    'whsec_',
    'whsec_short',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw@',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw@a b',
  ])('rejects an invalid secret without showing it: %j', (secret) => {
    const read = () => finish({ WEBHOOK_SECRETS: secret }, readWebhookConfig);
    expect(read).toThrow('WEBHOOK_SECRETS must contain secrets such as whsec_<base64>');
    expect(read).not.toThrow(/MfKQ/);
  });

  it('accepts a secret without any token', () => {
    const env = { WEBHOOK_SECRETS: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' };
    expect(() => finish(env, readWebhookConfig)).not.toThrow();
  });

  it('rejects an invalid default topic', () => {
    const env = { WEBHOOK_TOKENS: ONE, DEFAULT_TOPIC: 'a b' };
    expect(() => finish(env, readWebhookConfig)).toThrow('DEFAULT_TOPIC must be a topic');
  });
});

describe('readWebhookProcessConfig', () => {
  it('requires Redis, and reports that with all other problems', () => {
    expect(() => finish({ WEBHOOK_PORT: 'x' }, readWebhookProcessConfig)).toThrow(/^3 problems/);
  });
});
