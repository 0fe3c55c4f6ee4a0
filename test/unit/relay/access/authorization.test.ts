import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult, subtle } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK, type JWTPayload, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSubscribeConfig } from '../../../../services/relay/access/access-config.ts';
import {
  type Access,
  type Authorization,
  createAuthorization,
} from '../../../../services/relay/access/authorization.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import { EnvReader } from '../../../../services/shared/config/env-reader.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import { JWT_SECRET, signToken } from '../../../support/tokens.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const pair = () => generateKeyPairSync('ed25519');
const [first, second] = [pair(), pair()];
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

const sign = (kid: string | undefined, { privateKey } = first) =>
  new SignJWT({ topics: ['chat'] })
    .setProtectedHeader({ alg: 'EdDSA', ...(kid === undefined ? {} : { kid }) })
    .setExpirationTime('2h')
    .sign(privateKey);
const jwk = async (kid: string, { publicKey } = first) => ({ ...(await exportJWK(publicKey)), kid, alg: 'EdDSA' });

const FIRST_JWK: JWK = { ...first.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'EdDSA' };

/** The most that a relay reads of a key set. */
const MAX_BYTES = 256 * 1024;
/** A valid key set of this length. */
const paddedTo = (bytes: number) => JSON.stringify({ keys: [FIRST_JWK] }).padEnd(bytes);

/** The outcome for a client with this token. */
async function outcome(authorization: Authorization, token: string): Promise<string> {
  return authorization.check(token).then(
    () => 'good',
    (error: { code: string }) => error.code,
  );
}

/** The reason for a refusal in the log, with its causes. */
async function loggedReason(authorization: Authorization, token: string): Promise<string> {
  let error = await authorization.check(token).catch((error: Error) => error as unknown);
  const messages: string[] = [];
  while (error instanceof Error) {
    messages.push(error.message);
    error = error.cause;
  }
  return messages.slice(1).join(': ');
}

/** The algorithms of tokens, each with a key for it. */
const ALGORITHMS: [string, () => KeyPairKeyObjectResult][] = [
  ['RS256', () => rsa],
  ['PS512', () => rsa],
  ['ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['ES384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['ES512', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ['EdDSA', pair],
];

const CLAIMS_ENV = { JWT_ISSUER: 'app', JWT_AUDIENCE: 'relay' };

/** Requires that relays with `CLAIMS_ENV` accept tokens of this issuer for this audience, and no others. */
async function expectClaimsMatter(authorization: Authorization, signed: (claims: JWTPayload) => Promise<string>) {
  expect(await outcome(authorization, await signed({ iss: 'app', aud: ['other', 'relay'] }))).toBe('good');
  for (const claims of [
    {},
    { iss: 'app' },
    { aud: 'relay' },
    { iss: 'other', aud: 'relay' },
    { iss: 'app', aud: 'app' },
  ]) {
    expect(await outcome(authorization, await signed(claims))).toBe('unauthorized');
  }
}

describe('keys from a URL', () => {
  let server: Server;
  let requests: number;
  let answer: { status?: number; body: string | Buffer; headers?: Record<string, string>; hangs?: boolean };
  let authorization: Authorization;
  let authorize: (env?: Record<string, string>) => Authorization;

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
    authorize = (env) => {
      const config = readSubscribeConfig(new EnvReader({ SUBSCRIBE_AUTH: 'required', JWKS_URL: url, ...env }));
      return createAuthorization({
        config,
        clock: { ...SYSTEM_CLOCK, monotonicMs: () => Date.now() },
      }) as Authorization;
    };
    authorization = authorize();
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
    expect(await loggedReason(authorization, rotated)).toMatch(
      'the key set was read less than 30 s ago and does not have this key: no applicable key found',
    );
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

  it.each([
    ['none', []],
    ['a secret', [{ kty: 'oct', k: 'c2VjcmV0', kid: 'one' }]],
    ['RSA of 2040 bits', [{ kty: 'RSA', n: 'x'.repeat(340), e: 'AQAB', kid: 'one' }]],
    ['a curve that no algorithm uses', [{ kty: 'EC', crv: 'secp256k1', x: 'eA', y: 'eQ', kid: 'one' }]],
    ['a key for encryption', [{ ...FIRST_JWK, use: 'enc' }]],
    ['a key that may only sign', [{ ...FIRST_JWK, key_ops: ['sign'] }]],
  ])('that cannot verify tokens leave them unjudged, with the reason for the log: %s', async (_, keys) => {
    answer.body = JSON.stringify({ keys });
    expect(await outcome(authorization, await sign('one'))).toBe('keys_unavailable');
    expect(await loggedReason(authorization, await sign('one'))).toMatch(
      'the key set cannot be loaded: no key of the set can verify tokens',
    );
    pass(2 * SECOND_MS);
    answer.body = JSON.stringify({ keys: [...keys, await jwk('one')] });
    expect(await outcome(authorization, await sign('one'))).toBe('good');
  });

  it.each(ALGORITHMS)('verify tokens of %s, also if they are declared to be for that alone', async (alg, create) => {
    const { publicKey, privateKey } = create();
    const token = await new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg }).sign(privateKey);
    for (const purpose of [{}, { use: 'sig' }, { key_ops: ['verify'] }]) {
      answer.body = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), ...purpose }] });
      expect(await outcome(authorize(), token)).toBe('good');
    }
  });

  it.each(['one', undefined])('need the issuer and the audience that are configured, for kid %s', async (kid) => {
    answer.body = JSON.stringify({ keys: [await jwk('one'), await jwk('two', second)] });
    await expectClaimsMatter(authorize(CLAIMS_ENV), (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', ...(kid && { kid }) }).sign(first.privateKey),
    );
  });

  it('reject a token with a wrong signature of a known key at once', async () => {
    expect(await outcome(authorization, await sign('one'))).toBe('good');
    expect(await outcome(authorization, await sign('one', second))).toBe('unauthorized');
    expect(requests).toBe(1);
  });

  it.each([undefined, 'shared'])('are tried one after the other for a token with kid %s', async (kid) => {
    const third = pair();
    const keys = [
      await jwk('shared'),
      await jwk('shared', second),
      { kty: 'OKP', crv: 'Ed25519', x: '?', kid: 'shared' },
    ];
    answer.body = JSON.stringify({ keys });
    expect(await outcome(authorization, await sign(kid, first))).toBe('good');
    expect(await outcome(authorization, await sign(kid, second))).toBe('good');
    expect(await outcome(authorization, await sign(kid, third))).toBe('unauthorized');
    pass(3 * 60 * MINUTE_MS);
    expect(await outcome(authorization, await sign(kid, second))).toBe('good');
    const expired = new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg: 'EdDSA' }).setExpirationTime(1);
    expect(await outcome(authorization, await expired.sign(second.privateKey))).toBe('unauthorized');
    expect(requests).toBe(2);
  });

  const loading = 'the key set cannot be loaded';
  it.each<[string, Partial<typeof answer>, string]>([
    ['an error', { status: 500 }, `${loading}: the response has status 500`],
    ['a redirect', { status: 302, headers: { location: '/others' } }, `${loading}: the response has status 302`],
    ['invalid JSON', { body: 'hello' }, `${loading}: Unexpected token`],
    ['an invalid key set', { body: '{"keys":{}}' }, `${loading}: no key of the set`],
    ['a set of no keys', { body: '{"keys":[null]}' }, `${loading}: no key of the set`],
    [
      'a set of more than keys',
      { body: JSON.stringify({ keys: [FIRST_JWK, null] }) },
      'the last response was not a valid key set',
    ],
    ['an oversized key set', { body: paddedTo(MAX_BYTES + 1) }, `${loading}: the key set is too long`],
    ['an endless response', { hangs: true }, `${loading}: The operation was aborted due to timeout`],
  ])('that turn out to be %s leave tokens unjudged, and are asked for once a second at most', async (...row) => {
    const [, wrong, reason] = row;
    const good = answer;
    answer = { ...answer, ...wrong };
    const token = await sign('one');
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(authorization, token)));
    for (let i = 0; i < 20; i += 1) outcomes.push(await outcome(authorization, token));
    expect(new Set(outcomes)).toEqual(new Set(['keys_unavailable']));
    expect(await loggedReason(authorization, token)).toMatch(reason);
    expect(requests).toBe(1);
    answer = good;
    pass(SECOND_MS);
    expect(await outcome(authorization, token)).toBe('good');
    expect(requests).toBe(2);
  });

  it('may be 256 KiB long', async () => {
    answer.body = paddedTo(MAX_BYTES);
    expect(await outcome(authorization, await sign('one'))).toBe('good');
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

const pem = ({ publicKey }: { publicKey: KeyObject }) => publicKey.export({ type: 'spki', format: 'pem' }) as string;
const read = (env: Record<string, string>) => {
  const reader = new EnvReader({ SUBSCRIBE_AUTH: 'required', ...env });
  const config = readSubscribeConfig(reader);
  reader.finish();
  return createAuthorization({ config, clock: SYSTEM_CLOCK }) as Authorization;
};

describe('JWT_SECRET', () => {
  it('becomes a key once for each algorithm, not for each token', async () => {
    const config = readSubscribeConfig(new EnvReader({ SUBSCRIBE_AUTH: 'required', JWT_SECRET }));
    const authorization = createAuthorization({ config, clock: SYSTEM_CLOCK }) as Authorization;
    const algorithms = ['HS256', 'HS384', 'HS512'];
    const tokens = await Promise.all(algorithms.map((algorithm) => signToken({ topics: ['chat'] }, { algorithm })));
    const forged = await signToken({ topics: ['chat'] }, { secret: 'x'.repeat(JWT_SECRET.length) });
    const imports = vi.spyOn(subtle, 'importKey');
    try {
      for (let i = 0; i < 5; i += 1) {
        for (const token of tokens) expect(await outcome(authorization, token)).toBe('good');
        expect(await outcome(authorization, forged)).toBe('unauthorized');
      }
      expect(imports).toHaveBeenCalledTimes(algorithms.length);
    } finally {
      imports.mockRestore();
    }
  });
});

describe('JWT_PUBLIC_KEY', () => {
  it.each(ALGORITHMS)('verifies tokens of %s, with its line breaks at the end or escaped', async (alg, create) => {
    const keys = create();
    const token = await new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg }).sign(keys.privateKey);
    for (const text of [pem(keys), pem(keys).replaceAll('\n', '\\n')]) {
      expect(await outcome(read({ JWT_PUBLIC_KEY: text }), token)).toBe('good');
    }
  });

  it('needs the issuer and the audience that are configured', async () => {
    await expectClaimsMatter(read({ JWT_PUBLIC_KEY: pem(first), ...CLAIMS_ENV }), (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA' }).sign(first.privateKey),
    );
  });

  it('accepts no tokens that its own text would sign as a secret', async () => {
    const text = pem(first);
    const token = new SignJWT({ topics: ['*'] }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(text));
    expect(await outcome(read({ JWT_PUBLIC_KEY: text }), await token)).toBe('unauthorized');
  });

  it.each([
    ['an RSA key of 1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 })],
    ['an RSA-PSS key', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['Ed448', () => generateKeyPairSync('ed448')],
    ['X25519', () => generateKeyPairSync('x25519')],
  ])('is refused at the start if it cannot verify tokens: %s', (_, create) => {
    expect(() => read({ JWT_PUBLIC_KEY: pem(create()) })).toThrow(
      'JWT_PUBLIC_KEY must be an RSA key of at least 2048 bits',
    );
  });
});

describe('access to topics', () => {
  const JWT_SECRET = 'a-secret-of-32-bytes-or-more-here';
  const [open, chat, news] = ['open', 'chat/1', 'news'] as Topic[] as [Topic, Topic, Topic];
  const signed = (claims: Record<string, unknown>, alg = 'HS256') =>
    new SignJWT(claims).setProtectedHeader({ alg }).sign(Buffer.from(JWT_SECRET.padEnd(64, 'x')));
  const readWith = (env: Record<string, string>) => read({ JWT_SECRET: JWT_SECRET.padEnd(64, 'x'), ...env });
  const permitted = ({ maySubscribe }: Access) => [open, chat, news].filter((topic) => maySubscribe(topic));

  it('needs no token for public topics if tokens are optional, and one for all topics if they are required', async () => {
    const optional = readWith({ SUBSCRIBE_AUTH: 'optional', PRIVATE_TOPICS: 'chat/*, news' });
    expect([optional.tokenRequired, optional.anonymous.hasToken]).toEqual([false, false]);
    expect(optional.anonymous.expiresAtMs).toBe(Number.POSITIVE_INFINITY);
    expect(permitted(optional.anonymous)).toEqual([open]);
    const topics = ['chat/*'];
    expect(permitted(await optional.check(await signed({ topics })))).toEqual([open, chat]);
    const required = readWith({ PRIVATE_TOPICS: 'chat/*' });
    expect(required.tokenRequired).toBe(true);
    expect(permitted(required.anonymous)).toEqual([]);
    expect(permitted(await required.check(await signed({ topics })))).toEqual([chat]);
  });

  it('is not checked if no token is needed', () => {
    const config = readSubscribeConfig(new EnvReader({ JWT_SECRET }));
    expect(config.auth).toBe('none');
    expect(createAuthorization({ config, clock: SYSTEM_CLOCK })).toBeUndefined();
  });

  it.each([
    [undefined, []],
    ['news', [news]],
    [[], []],
    [
      ['news', '*'],
      [open, chat, news],
    ],
  ])('is granted by the claim topics: %j', async (topics, expected) => {
    const access = await readWith({}).check(await signed({ topics }));
    expect([access.hasToken, access.expiresAtMs]).toEqual([true, Number.POSITIVE_INFINITY]);
    expect(permitted(access)).toEqual(expected);
  });

  it.each([['a b'], [['news', 1]], [null], [{}]])(
    'is not granted at all if the claim is invalid: %j',
    async (topics) => {
      expect(await outcome(readWith({}), await signed({ topics }))).toBe('unauthorized');
    },
  );

  it('ends when the token expires, by the clock of the relay to the millisecond', async () => {
    const exp = 2_000_000_000;
    const at = (nowMs: number) => {
      const config = readSubscribeConfig(new EnvReader({ SUBSCRIBE_AUTH: 'required', JWT_SECRET }));
      return createAuthorization({ config, clock: { ...SYSTEM_CLOCK, nowMs: () => nowMs } }) as Authorization;
    };
    const token = new SignJWT({ topics: 'news' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(exp);
    const text = await token.sign(Buffer.from(JWT_SECRET));
    expect((await at(exp * 1000 - 1).check(text)).expiresAtMs).toBe(exp * 1000);
    expect(await outcome(at(exp * 1000), text)).toBe('unauthorized');
  });

  it('tolerates clocks that differ by 5 s for tokens that are not valid yet', async () => {
    const nowMs = 1_900_000_000_000;
    const config = readSubscribeConfig(new EnvReader({ SUBSCRIBE_AUTH: 'required', JWT_SECRET }));
    const authorization = createAuthorization({ config, clock: { ...SYSTEM_CLOCK, nowMs: () => nowMs } });
    const validFrom = (seconds: number) =>
      new SignJWT({ topics: 'news' })
        .setProtectedHeader({ alg: 'HS256' })
        .setNotBefore(seconds)
        .sign(Buffer.from(JWT_SECRET));
    expect(await outcome(authorization as Authorization, await validFrom(nowMs / 1000 + 5))).toBe('good');
    expect(await outcome(authorization as Authorization, await validFrom(nowMs / 1000 + 6))).toBe('unauthorized');
  });

  it('needs the issuer and the audience that are configured', async () => {
    await expectClaimsMatter(readWith(CLAIMS_ENV), signed);
    expect(await outcome(readWith({}), await signed({ iss: 'any', aud: 'any' }))).toBe('good');
  });

  it.each(['HS256', 'HS384', 'HS512'])('may be signed with %s, and with no other secret', async (alg) => {
    expect(await outcome(readWith({}), await signed({}, alg))).toBe('good');
    expect(await outcome(readWith({ JWT_SECRET: 'y'.repeat(64) }), await signed({}, alg))).toBe('unauthorized');
  });
});

describe('the settings of tokens', () => {
  const SECRET = 'x'.repeat(32);
  const PEM = pem(pair());
  const JWKS = 'https://issuer.example/keys';
  const alone = 'must not be set together with JWT_PUBLIC_KEY or JWKS_URL, nor both of those';

  it.each([
    [{}, 'SUBSCRIBE_AUTH needs one of JWT_SECRET, JWT_PUBLIC_KEY and JWKS_URL: without keys no token is valid'],
    [{ JWT_SECRET: SECRET.slice(1) }, 'JWT_SECRET must have at least 32 bytes'],
    [{ JWT_SECRET: SECRET, JWKS_URL: JWKS }, `JWT_SECRET ${alone}`],
    [{ JWT_SECRET: SECRET, JWT_PUBLIC_KEY: PEM }, `JWT_SECRET ${alone}`],
    [{ JWT_PUBLIC_KEY: PEM, JWKS_URL: JWKS }, `JWT_SECRET ${alone}`],
    [{ JWT_PUBLIC_KEY: 'no key' }, 'JWT_PUBLIC_KEY must be a public key as PEM (line breaks may be written \\n)'],
    [
      { JWT_PUBLIC_KEY: pair().privateKey.export({ type: 'pkcs8', format: 'pem' }) as string },
      'JWT_PUBLIC_KEY must be a public key as PEM (line breaks may be written \\n)',
    ],
    [{ JWKS_URL: 'ftp://issuer.example' }, 'JWKS_URL must be a URL that starts with http:// or https://'],
    [
      { JWT_SECRET: SECRET, PRIVATE_TOPICS: 'a b' },
      'PRIVATE_TOPICS must hold topics, or prefixes of topics followed by *',
    ],
    [
      { SUBSCRIBE_AUTH: 'none', PRIVATE_TOPICS: 'chat' },
      'PRIVATE_TOPICS needs SUBSCRIBE_AUTH=optional or required: otherwise no topic is private',
    ],
    [{ JWT_SECRET: SECRET, SUBSCRIBE_AUTH: 'always' }, 'SUBSCRIBE_AUTH must be one of: none, optional, required'],
    [{ JWT_SECRET: SECRET, JWT_MAX_AGE: '87601h' }, 'JWT_MAX_AGE must be from 0ms to 315360000000ms'],
  ])('are refused with the reason: %j', (env, problem) => {
    const reader = new EnvReader({ SUBSCRIBE_AUTH: 'required', ...env });
    readSubscribeConfig(reader);
    expect(() => reader.finish()).toThrow(problem);
  });

  it.each([{ JWT_SECRET: SECRET }, { JWT_PUBLIC_KEY: PEM }, { JWKS_URL: JWKS }, { SUBSCRIBE_AUTH: 'none' }])(
    'may be %j',
    (env) => {
      const reader = new EnvReader({ SUBSCRIBE_AUTH: 'optional', ...env });
      expect(Object.isFrozen(readSubscribeConfig(reader))).toBe(true);
      reader.finish();
    },
  );

  it('make every topic private until invalid ones are corrected', () => {
    const { isPrivate } = readSubscribeConfig(new EnvReader({ JWT_SECRET: SECRET, PRIVATE_TOPICS: 'a b' }));
    expect(isPrivate('news' as Topic)).toBe(true);
  });
});

it.each(['JWT_SECRET', 'JWT_ISSUER', 'JWT_AUDIENCE'])('%s with a line break at its end is refused', (name) => {
  const env = { JWT_SECRET: 'x'.repeat(32), [name]: `${'x'.repeat(32)}\n` };
  expect(() => read(env)).toThrow(`${name} must not begin or end with a line break`);
});

it('JWT_MAX_AGE requires an expiry that is at most so far ahead', async () => {
  const JWT_SECRET = 'a-secret-of-32-bytes-or-more-here';
  const [limited, unlimited] = [read({ JWT_SECRET, JWT_MAX_AGE: '1h' }), read({ JWT_SECRET })];
  const inSeconds = (seconds: number | undefined) => {
    const token = new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg: 'HS256' });
    if (seconds !== undefined) token.setExpirationTime(new Date(Date.now() + seconds * 1000));
    return token.sign(Buffer.from(JWT_SECRET));
  };
  expect(await outcome(limited, await inSeconds(3500))).toBe('good');
  for (const seconds of [undefined, 3700, 10 ** 9]) {
    expect(await outcome(limited, await inSeconds(seconds))).toBe('unauthorized');
    expect(await outcome(unlimited, await inSeconds(seconds))).toBe('good');
  }
});
