import { createHmac, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { sendRaw } from '../support/raw-http.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { JWT_SECRET, signToken } from '../support/tokens.ts';
import type { WsClient } from '../support/ws-client.ts';

const now = () => Math.floor(Date.now() / 1000);
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;

const ENV = {
  JWT_SECRET,
  JWT_AUDIENCE: 'relays',
  JWT_ISSUER: 'app',
  PRIVATE_TOPICS: 'user/*,secret',
};
const GOOD = { aud: 'relays', iss: 'app', topics: ['user/1', 'team/*'] };

const hs256 = (header: unknown, payload: unknown, key: string | Buffer) => {
  const text = `${base64(header)}.${base64(payload)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
};

/** Invalid tokens of every kind. */
const BAD_TOKENS: [string, () => Promise<string> | string][] = [
  ['not a JWT', () => 'hunter2'],
  ['three empty parts', () => '..'],
  ['signed with another secret', () => signToken(GOOD, { secret: 'another-secret-of-32-bytes-or-more--' })],
  ['expired', () => signToken({ ...GOOD, exp: now() - 60 })],
  ['not valid yet', () => signToken({ ...GOOD, nbf: now() + 60 })],
  ['for another audience', () => signToken({ ...GOOD, aud: 'others' })],
  ['without an audience', () => signToken({ ...GOOD, aud: undefined })],
  ['of another issuer', () => signToken({ ...GOOD, iss: 'others' })],
  ['with a non-numeric expiry', () => signToken({ ...GOOD, exp: 'never' as never })],
  ['with invalid topics', () => signToken({ ...GOOD, topics: ['a b'] })],
  ['with an object as topics', () => signToken({ ...GOOD, topics: { chat: true } })],
  ['with alg none', () => `${base64({ alg: 'none' })}.${base64(GOOD)}.`],
  ['with alg none and a signature', () => hs256({ alg: 'none' }, { ...GOOD, exp: now() + 60 }, JWT_SECRET)],
  ['with alg in other letters', () => hs256({ alg: 'hs256' }, { ...GOOD, exp: now() + 60 }, JWT_SECRET)],
  ['with an unknown critical header', () => hs256({ alg: 'HS256', crit: ['x'], x: 1 }, GOOD, JWT_SECRET)],
  [
    'signed with an algorithm for other keys',
    () => new SignJWT(GOOD).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey),
  ],
  ['with a truncated signature', async () => (await signToken(GOOD)).slice(0, -3)],
  [
    'with its payload changed',
    async () => (await signToken(GOOD)).replace(/\.[^.]+\./, `.${base64({ ...GOOD, topics: ['*'] })}.`),
  ],
  ['with a NUL', async () => `${await signToken(GOOD)}%00`],
  ['in Unicode', () => encodeURIComponent('t\u00f6ken.\u{1F511}.x')],
];

const subscribed = (client: WsClient) =>
  client
    .ofType('subscribed')
    .flatMap(({ topics }) => Object.keys(topics))
    .sort();
const errors = (client: WsClient) => client.ofType('error').map(({ code, topic }) => `${code} ${topic ?? ''}`.trim());

describe('if tokens are optional', () => {
  let relay: RelayFixture;
  beforeAll(async () => {
    relay = await startRelay({ env: { ...ENV, SUBSCRIBE_AUTH: 'optional' } });
  });
  afterAll(() => relay.stop());

  it('every client may subscribe to public topics, and private topics are refused one by one', async () => {
    const client = await relay.connect('/ws?topic=news&topic=user/1');
    await eventually(() => expect(subscribed(client)).toEqual(['news']));
    expect(errors(client)).toEqual(['unauthorized user/1']);
    client.send({ type: 'subscribe', topics: { secret: null, sport: null } });
    await eventually(() => expect(subscribed(client)).toEqual(['news', 'sport']));
    expect(errors(client)).toEqual(['unauthorized user/1', 'unauthorized secret']);
    await relay.publish('secret', { data: 'hidden' });
    await relay.publish('news');
    await eventually(() => expect(client.ofType('update').map(({ topic }) => topic)).toEqual(['news']));
  });

  it.each(['/ws?topic=secret', '/update_check?topic=secret', '/ws?topic=secret&topic=user/7'])(
    '%s without a token is closed with 4401: no topic is left',
    async (path) => {
      const client = await relay.connect(path);
      await eventually(() => expect(client.closed?.code).toBe(4401));
      expect(relay.relay.hub.subscribers('secret' as never)).toBe(0);
    },
  );

  it('an empty token is no token, by every transport', async () => {
    const client = await relay.connect('/ws?topic=news&token=');
    await eventually(() => expect(subscribed(client)).toEqual(['news']));
    expect(errors(client)).toEqual([]);
    for (const path of ['/topics/news?token=', '/topics/news']) {
      expect((await fetch(relay.http + path, { headers: { authorization: 'Bearer ' } })).status).toBe(200);
    }
    const events = await fetch(`${relay.http}/events?topic=news&token=`);
    expect(events.status).toBe(200);
    await events.body?.cancel();
  });

  it('a token grants its topics: in the URL, as a header, or by message', async () => {
    const token = await signToken(GOOD);
    const query = '/ws?topic=user/1&topic=team/7&topic=news';
    const byUrl = await relay.connect(`${query}&token=${token}`);
    const byHeader = await relay.connect(query, { headers: { authorization: `Bearer ${token}` } });
    const byMessage = await relay.connect('/ws?topic=news');
    byMessage.send({ type: 'auth', token });
    byMessage.send({ type: 'subscribe', topics: { 'user/1': null, 'team/7': null } });
    for (const client of [byUrl, byHeader, byMessage]) {
      await eventually(() => expect(subscribed(client)).toEqual(['news', 'team/7', 'user/1']));
      expect(errors(client)).toEqual([]);
    }
    const old = await relay.connect(`/update_check?topic=user/1&token=${token}`);
    await eventually(() => expect(relay.relay.hub.subscribers('user/1' as never)).toBe(4));
    await relay.publish('user/1');
    await eventually(() => expect(old.texts).toContain('UPDATED'));
  });

  it('a token does not grant other topics, and one that grants none of those in the URL is closed with 4403', async () => {
    const token = await signToken(GOOD);
    const client = await relay.connect(`/ws?topic=news&topic=user/2&token=${token}`);
    await eventually(() => expect(subscribed(client)).toEqual(['news']));
    expect(errors(client)).toEqual(['topic_forbidden user/2']);
    const denied = await relay.connect(`/ws?topic=user/2&topic=secret&token=${token}`);
    await eventually(() => expect(denied.closed?.code).toBe(4403));
  });

  it('an expired token loses its private topics, and keeps receiving the public ones', async () => {
    const token = await signToken({ ...GOOD, exp: now() + 2 });
    const mixed = await relay.connect(`/ws?topic=news&topic=user/1&token=${token}`);
    const only = await relay.connect(`/ws?topic=user/1&token=${token}`);
    await eventually(() => expect(subscribed(only)).toEqual(['user/1']));
    await eventually(() => expect(only.closed?.code).toBe(4401));
    await eventually(() => expect(errors(mixed)).toEqual(['unauthorized user/1']));
    await relay.publish('user/1');
    await relay.publish('news');
    await eventually(() => expect(mixed.ofType('update').map(({ topic }) => topic)).toEqual(['news']));
  });

  it('a token renewed in time keeps its topics without a gap', async () => {
    const client = await relay.connect(`/ws?topic=user/1&token=${await signToken({ ...GOOD, exp: now() + 2 })}`);
    const control = await relay.connect(`/ws?topic=user/1&token=${await signToken({ ...GOOD, exp: now() + 2 })}`);
    client.send({ type: 'auth', token: await signToken(GOOD) });
    await eventually(() => expect(control.closed?.code).toBe(4401));
    const version = await relay.publish('user/1');
    await eventually(() => expect(client.ofType('update').at(-1)?.version).toBe(version));
    expect(errors(client)).toEqual([]);
  });

  it('a renewed token with fewer topics loses the others', async () => {
    const client = await relay.connect(`/ws?topic=user/1&topic=team/1&token=${await signToken(GOOD)}`);
    await eventually(() => expect(subscribed(client)).toEqual(['team/1', 'user/1']));
    client.send({ type: 'auth', token: await signToken({ ...GOOD, topics: ['user/1'] }) });
    await eventually(() => expect(client.closed?.code ?? subscribed(client)).toEqual(['team/1', 'user/1']));
    expect(errors(client)).toEqual([]); // team/1 is public
    client.send({ type: 'auth', token: await signToken({ ...GOOD, topics: ['user/2'] }) });
    await eventually(() => expect(errors(client)).toEqual(['topic_forbidden user/1']));
    expect(client.closed).toBeUndefined();
  });

  it('every refusal is counted', async () => {
    const before = await relay.metric('relay_refusals_total');
    const client = await relay.connect('/ws?topic=news&topic=secret');
    await eventually(() => expect(errors(client)).toEqual(['unauthorized secret']));
    expect(await relay.metric('relay_refusals_total')).toBe(before + 1);
  });
});

describe('if tokens are required', () => {
  let relay: RelayFixture;
  beforeAll(async () => {
    relay = await startRelay({ env: { ...ENV, SUBSCRIBE_AUTH: 'required' } });
  });
  afterAll(() => relay.stop());

  it.each(BAD_TOKENS)('one that is %s is closed with 4401', async (_, token) => {
    const client = await relay.connect(`/ws?topic=user/1&token=${await token()}`);
    await eventually(() => expect(client.closed).toMatchObject({ code: 4401, reason: 'token missing or bad' }));
    expect(client.messages).toEqual([{ type: 'error', code: 'unauthorized' }]);
    expect(relay.relay.hub.subscribers('user/1' as never)).toBe(0);
  });

  it.each(BAD_TOKENS)('one that is %s is refused with 401 over HTTP, without a reason', async (name, token) => {
    const bad = await token();
    const inHeader = { authorization: `Bearer ${decodeURIComponent(bad)}` };
    const calls: [string, Record<string, string>][] = [
      [`/events?topic=user/1&token=${bad}`, {}],
      [`/topics/user/1?token=${bad}`, {}],
    ];
    // Tokens that a header cannot hold are tried in the URL only.
    if (/^[\x21-\x7e]+$/.test(decodeURIComponent(bad))) {
      calls.push(['/events?topic=user/1', inHeader], ['/topics/user/1', inHeader]);
    }
    for (const [path, headers] of calls) {
      const response = await fetch(relay.http + path, { headers });
      expect(response.headers.get('www-authenticate'), name).toBe('Bearer');
      expect(await response.clone().text()).not.toMatch(/jose|jwt|expired|\.(ts|js)\b/i);
      await expectProblem(response, 401, 'unauthorized');
    }
  });

  it('the first of two tokens counts, and one that grants other topics is refused with 403 over HTTP', async () => {
    const [good, other] = [await signToken(GOOD), await signToken({ ...GOOD, topics: ['user/2'] })];
    const get = (path: string, headers: Record<string, string> = {}) => fetch(relay.http + path, { headers });
    await expectProblem(await get(`/topics/user/1?token=x&token=${good}`), 401, 'unauthorized');
    await expectProblem(await get('/topics/user/1?token=x', { authorization: `Bearer ${good}` }), 401, 'unauthorized');
    await expectProblem(await get(`/topics/user/1?token=${other}`), 403, 'topic_forbidden');
    await expectProblem(await get(`/events?topic=user/1&token=${other}`), 403, 'topic_forbidden');
    expect((await get(`/topics/user/1?token=${good}`)).status).toBe(200);
    expect((await get('/topics/user/1', { authorization: `Bearer ${good}` })).status).toBe(200);
  });

  it('one of a megabyte is refused before it is parsed', async () => {
    const huge = 'x'.repeat(1024 * 1024);
    const answer = await sendRaw(
      relay.port,
      `GET /ws HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer ${huge}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    const client = await relay.connect('/ws');
    client.send({ type: 'auth', token: huge });
    await eventually(() => expect(client.closed).toBeDefined());
    expect(relay.relay.hub.topics).toBe(0);
  });

  it('a valid one grants its topics and no others, public or not', async () => {
    const client = await relay.connect(`/ws?topic=user/1&topic=news&token=${await signToken(GOOD)}`);
    await eventually(() => expect(subscribed(client)).toEqual(['user/1']));
    expect(errors(client)).toEqual(['topic_forbidden news']);
  });

  it('one without topics grants nothing', async () => {
    const client = await relay.connect(`/ws?topic=user/1&token=${await signToken({ ...GOOD, topics: undefined })}`);
    await eventually(() => expect(client.closed?.code).toBe(4403));
  });

  it('subscriptions wait until the token arrives by message', async () => {
    const version = await relay.publish('user/1');
    const client = await relay.connect('/ws?topic=user/1&since=1');
    client.send({ type: 'subscribe', topics: { 'team/1': null } });
    client.send({ type: 'ping' });
    await eventually(() => expect(client.ofType('pong')).toHaveLength(1));
    expect(subscribed(client)).toEqual([]);
    client.send({ type: 'auth', token: await signToken(GOOD) });
    await eventually(() => expect(subscribed(client)).toEqual(['team/1', 'user/1']));
    expect(client.ofType('update').map((update) => update.version)).toEqual([version]);
  });

  it('no more subscriptions wait than a client may have', async () => {
    const client = await relay.connect('/ws?topic=user/1');
    const topics = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`t${i}`, null]));
    client.send({ type: 'subscribe', topics });
    await eventually(() => expect(errors(client)).toEqual(['too_many_topics']));
  });

  it('a legacy client, which cannot send one later, is refused immediately', async () => {
    const client = await relay.connect('/update_check?topic=user/1');
    await eventually(() => expect(client.closed?.code).toBe(4401));
    expect(client.texts).toEqual([]);
  });
});

describe('keys', () => {
  const relays: RelayFixture[] = [];
  afterEach(async () => {
    for (const relay of relays.splice(0)) await relay.stop();
  });

  async function startWith(env: Record<string, string>): Promise<RelayFixture> {
    const relay = await startRelay({ env: { SUBSCRIBE_AUTH: 'required', ...env } });
    relays.push(relay);
    return relay;
  }

  async function outcome(relay: RelayFixture, token: string): Promise<unknown> {
    const client = await relay.connect(`/ws?topic=user/1&token=${token}`);
    return eventually(() => {
      if (client.closed) return client.closed.code;
      expect(subscribed(client)).toEqual(['user/1']);
      return 'subscribed';
    });
  }

  it('may be public; a token signed with the public key as if it were a secret is refused', async () => {
    const relay = await startWith({ JWT_PUBLIC_KEY: pem.replaceAll('\n', '\\n') });
    const good = new SignJWT(GOOD).setProtectedHeader({ alg: 'RS256' }).setExpirationTime('1h');
    expect(await outcome(relay, await good.sign(rsa.privateKey))).toBe('subscribed');
    const text = `${base64({ alg: 'HS256' })}.${base64(GOOD)}`;
    const confused = `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
    expect(await outcome(relay, confused)).toBe(4401);
    expect(await outcome(relay, await signToken(GOOD))).toBe(4401);
  });

  it('may be loaded from a URL, once for many clients and again for a new key; while that fails, clients are asked to retry', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwks = { keys: [{ ...(await exportJWK(rsa.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }] };
    let requests = 0;
    let status = 500;
    const server = createServer((_request, response) => {
      requests += 1;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(jwks));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const relay = await startWith({ JWKS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` });
      const sign = (kid: string, alg: string, key: typeof rsa.privateKey) =>
        new SignJWT(GOOD).setProtectedHeader({ alg, kid }).setExpirationTime('1h').sign(key);
      const good = await sign('one', 'RS256', rsa.privateKey);
      expect(await outcome(relay, good)).toBe(1013);
      status = 200;
      requests = 0;
      await eventually(async () => expect(await outcome(relay, good)).toBe('subscribed')); // not loaded again immediately
      expect(await Promise.all(Array.from({ length: 20 }, () => outcome(relay, good)))).toEqual(
        Array(20).fill('subscribed'),
      );
      expect(requests).toBe(1);
      const unknown = await sign('two', 'ES256', other.privateKey);
      expect(await Promise.all(Array.from({ length: 20 }, () => outcome(relay, unknown)))).toEqual(
        Array(20).fill(1013),
      );
      const legacy = await relay.connect(`/update_check?topic=user/1&token=${unknown}`);
      await eventually(() => expect(legacy.closed?.code).toBe(1013));
      const poll = await fetch(`${relay.http}/topics/user/1?token=${unknown}`);
      await expectProblem(poll, 503, 'keys_unavailable');
      expect(poll.headers.get('retry-after')).not.toBeNull();
      // An `EventSource` retries only after a stream that ends.
      const stream = await fetch(`${relay.http}/events?topic=user/1&token=${unknown}`);
      expect([stream.status, await stream.text()]).toEqual([200, expect.stringMatching(/^retry: \d+\n\n$/)]);
      expect(requests).toBe(1); // not within half a minute of the last load
    } finally {
      server.close();
    }
  });
});
