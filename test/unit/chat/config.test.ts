import { describe, expect, it } from 'vitest';
import { readChatConfig } from '../../../services/chat/config.ts';
import { defaultHost } from '../../../services/shared/config/default-host.ts';
import { type Environment, EnvReader } from '../../../services/shared/config/env-reader.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const TOKEN = 'a-token-of-the-tests';

function finish(env: Environment): void {
  const reader = new EnvReader(env);
  readChatConfig(reader);
  reader.finish();
}

describe('readChatConfig', () => {
  it('has a default for everything except the credential', () => {
    expect(readChatConfig(new EnvReader({ WEBHOOK_TOKEN: TOKEN }))).toEqual({
      host: defaultHost(),
      port: 8000,
      isAllowedHost: expect.any(Function),
      trustedProxies: expect.anything(),
      commentsPerMinute: 60,
      headerTimeoutMs: 10_000,
      database: 'chat.db',
      topic: 'chat',
      relayUrl: undefined,
      webhookUrl: undefined,
      webhookTimeoutMs: 3000,
      credential: { token: TOKEN },
    });
  });

  it('reads every setting, and freezes the result', () => {
    const env = new EnvReader({
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      CHAT_DB: ':memory:',
      COMMENT_RATE: '5',
      CHAT_TOPIC: 'chat/lobby',
      RELAY_PUBLIC_URL: 'https://push.example.org/heliograph//',
      WEBHOOK_URL: 'http://webhook:8090/webhook',
      WEBHOOK_SECRET: SECRET,
      WEBHOOK_TIMEOUT: '500ms',
    });
    const config = readChatConfig(env, { secret: 'unused' });
    expect(config).toEqual({
      host: '127.0.0.1',
      port: 0,
      isAllowedHost: expect.any(Function),
      trustedProxies: expect.anything(),
      commentsPerMinute: 5,
      headerTimeoutMs: 10_000,
      database: ':memory:',
      topic: 'chat/lobby',
      relayUrl: 'https://push.example.org/heliograph',
      webhookUrl: 'http://webhook:8090/webhook',
      webhookTimeoutMs: 500,
      credential: { secret: SECRET },
    });
    expect(Object.isFrozen(config) && Object.isFrozen(config.credential)).toBe(true);
    expect(() => env.finish()).not.toThrow();
  });

  it('uses the fallback secret if no credential is set', () => {
    const env = new EnvReader({});
    expect(readChatConfig(env, { secret: SECRET }).credential).toEqual({ secret: SECRET });
    expect(() => env.finish()).not.toThrow();
  });

  it('requires a credential: without one it could save but never publish', () => {
    expect(() => finish({})).toThrow('WEBHOOK_SECRET must be one of the secrets of the webhook, or WEBHOOK_TOKEN');
  });

  it('rejects two credentials', () => {
    expect(() => finish({ WEBHOOK_SECRET: SECRET, WEBHOOK_TOKEN: TOKEN })).toThrow(
      'WEBHOOK_TOKEN must not be set together with WEBHOOK_SECRET',
    );
  });

  it.each(['secret', 'whsec_', 'whsec_short', SECRET.slice(0, -1), `${SECRET}@chat`, `${SECRET}!`])(
    'rejects an invalid secret without showing it: %j',
    (secret) => {
      expect(() => finish({ WEBHOOK_SECRET: secret })).toThrow(
        'WEBHOOK_SECRET must be a secret such as whsec_<base64>',
      );
      expect(() => finish({ WEBHOOK_SECRET: secret })).not.toThrow(/MfKQ/);
    },
  );

  it.each([
    ['WEBHOOK_TOKEN', 'a token of the tests'],
    ['WEBHOOK_TOKEN', TOKEN.slice(0, 15)],
    ['CHAT_TOPIC', 'a b'],
    ['RELAY_PUBLIC_URL', 'ws://push.example.org'],
    ['WEBHOOK_URL', 'webhook:8090'],
    ['WEBHOOK_TIMEOUT', '3'],
    ['CHAT_PORT', '65536'],
  ])('rejects %s=%s', (name, value) => {
    expect(() => finish({ WEBHOOK_TOKEN: TOKEN, [name]: value })).toThrow(`${name} must `);
  });
});
