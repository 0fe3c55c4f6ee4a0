import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSubscribeConfig } from '../../../../services/relay/access/access-config.ts';
import { type Authorization, createAuthorization } from '../../../../services/relay/access/authorization.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const pair = () => generateKeyPairSync('ed25519');
const [first, second] = [pair(), pair()];

const sign = (kid: string, { privateKey } = first) =>
  new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg: 'EdDSA', kid }).setExpirationTime('2h').sign(privateKey);
const jwk = async (kid: string, { publicKey } = first) => ({ ...(await exportJWK(publicKey)), kid, alg: 'EdDSA' });

/** The outcome for a client with this token. */
async function outcome(authorization: Authorization, token: string): Promise<string> {
  return authorization.check(token).then(
    () => 'good',
    (error: { code: string }) => error.code,
  );
}

describe('keys from a URL', () => {
  let server: Server;
  let requests: number;
  let answer: { status?: number; body: string | Buffer; headers?: Record<string, string>; hangs?: boolean };
  let authorization: Authorization;

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    requests = 0;
    answer = { body: JSON.stringify({ keys: [await jwk('one')] }) };
    server = createServer((_request, response) => {
      requests += 1;
      response.writeHead(answer.status ?? 200, answer.headers);
      if (answer.hangs) response.write(' ');
      else response.end(answer.body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const config = readSubscribeConfig(new EnvReader({ SUBSCRIBE_AUTH: 'required', JWKS_URL: url }));
    authorization = createAuthorization({
      config,
      clock: { ...SYSTEM_CLOCK, monotonicMs: () => Date.now() },
    }) as Authorization;
  });
  afterEach(() => {
    vi.useRealTimers();
    server.closeAllConnections();
    server.close();
  });
  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

  it('are loaded once for many tokens, and kept for ten minutes', async () => {
    const token = await sign('one');
    for (let i = 0; i < 20; i += 1) expect(await outcome(authorization, token)).toBe('good');
    expect(requests).toBe(1);
    pass(9 * MINUTE_MS);
    expect(await outcome(authorization, token)).toBe('good');
    expect(requests).toBe(1);
    pass(2 * MINUTE_MS);
    expect(await outcome(authorization, token)).toBe('good');
    expect(requests).toBe(2);
  });

  it('are loaded again for an unknown key, at most twice a minute', async () => {
    expect(await outcome(authorization, await sign('one'))).toBe('good');
    answer.body = JSON.stringify({ keys: [await jwk('two', second)] });
    const rotated = await sign('two', second);
    expect(await outcome(authorization, rotated)).toBe('keys_unavailable');
    expect(requests).toBe(1);
    pass(31 * SECOND_MS);
    expect(await outcome(authorization, rotated)).toBe('good');
    const revoked = await sign('one');
    for (const token of [revoked, await sign('never known')]) {
      expect(await outcome(authorization, token)).toBe('keys_unavailable');
    }
    expect(requests).toBe(2);
    pass(31 * SECOND_MS);
    expect(await outcome(authorization, revoked)).toBe('unauthorized');
    expect(requests).toBe(3);
  });

  it('reject a token with a wrong signature of a known key at once', async () => {
    expect(await outcome(authorization, await sign('one'))).toBe('good');
    expect(await outcome(authorization, await sign('one', second))).toBe('unauthorized');
    expect(requests).toBe(1);
  });

  it.each<[string, Partial<typeof answer>]>([
    ['an error', { status: 500 }],
    ['a redirect', { status: 302, headers: { location: '/others' } }],
    ['invalid JSON', { body: 'hello' }],
    ['an invalid key set', { body: '{"keys":{}}' }],
    ['an oversized key set', { body: Buffer.alloc(300 * 1024, ' ') }],
    ['an endless response', { hangs: true }],
  ])('that turn out to be %s leave tokens unjudged, and are asked for once a second at most', async (_, wrong) => {
    const good = answer;
    answer = { ...answer, ...wrong };
    const token = await sign('one');
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(authorization, token)));
    for (let i = 0; i < 20; i += 1) outcomes.push(await outcome(authorization, token));
    expect(new Set(outcomes)).toEqual(new Set(['keys_unavailable']));
    expect(requests).toBe(1);
    answer = good;
    pass(SECOND_MS);
    expect(await outcome(authorization, token)).toBe('good');
    expect(requests).toBe(2);
  });

  it('are public keys: a secret among them is not used', async () => {
    const secret = Buffer.from('a secret that the world can read, of 32 bytes');
    const oct = { kty: 'oct', k: secret.toString('base64url'), kid: 'oct', alg: 'HS256' };
    answer.body = JSON.stringify({ keys: [await jwk('one'), oct] });
    const token = await new SignJWT({ topics: ['*'] })
      .setProtectedHeader({ alg: 'HS256', kid: 'oct' })
      .setExpirationTime('1h')
      .sign(secret);
    expect(await outcome(authorization, token)).toBe('unauthorized');
    expect(await outcome(authorization, await sign('one'))).toBe('good');
  });
});
