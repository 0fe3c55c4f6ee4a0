import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect, type SecureVersion } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { makeCertificate } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { sendRaw } from '../support/raw-http.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { JWT_SECRET, signToken } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

let relay: RelayFixture | undefined;
afterEach(async () => {
  await relay?.stop();
  relay = undefined;
});

async function start(env: Record<string, string>): Promise<RelayFixture> {
  relay = await startRelay({ env });
  return relay;
}

async function refusal(relay: RelayFixture, headers: Record<string, string | string[]> = {}) {
  const socket = new WebSocket(`${relay.url}/ws?topic=chat`, { headers: headers as Record<string, string> });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, retryAfter: response.headers['retry-after'], code: JSON.parse(body).code };
}

it('a relay refuses clients that connect by another host name, such as one that a page points at it', async () => {
  const relay = await start({ ALLOWED_HOSTS: 'push.example.org,*.relays.example.org' });
  const forbidden = { status: 403, code: 'host_forbidden' };
  for (const host of ['rebound.example', 'push.example.org.rebound.example', 'relays.example.org']) {
    expect(await refusal(relay, { host: `${host}:8080` })).toMatchObject(forbidden);
  }
  const request = (method: string, path: string, host: string) => {
    const lines = [`${method} ${path} HTTP/1.1`, `host: ${host}`, 'connection: close', '', ''];
    return sendRaw(relay.port, lines.join('\r\n'));
  };
  for (const path of [
    '/events?topic=chat',
    '/topics/chat',
    '/client.js',
    '/client.js.map',
    '/heliograph-client.tgz',
    '/',
  ]) {
    expect(await request('GET', path, 'rebound.example')).toMatch(/^HTTP\/1.1 403 [\s\S]*"code":"host_forbidden"/);
    expect(await request('HEAD', path, 'rebound.example')).toMatch(/^HTTP\/1.1 403 [\s\S]*\r\n\r\n$/);
  }
  expect(await request('OPTIONS', '/topics/chat', 'rebound.example')).toMatch(/^HTTP\/1.1 403 /);
  expect(await request('POST', '/events', 'rebound.example')).toMatch(/^HTTP\/1.1 403 /);
  expect(await request('GET', '/client.js', 'push.example.org')).toMatch(/^HTTP\/1.1 200 /);
  for (const host of [
    'push.example.org',
    'PUSH.example.org:80',
    'a.relays.example.org.',
    '127.0.0.1:1',
    '[::1]',
    'localhost',
  ]) {
    await relay.connect('/ws?topic=chat', { headers: { host } });
  }
});

describe('a full relay', () => {
  it('refuses upgrades with 503, serves its clients, and admits a new one when one leaves', async () => {
    const relay = await start({ MAX_CONNECTIONS: '2' });
    const [one, two] = [await relay.connect('/ws?topic=chat'), await relay.connect('/update_check?topic=chat')];
    await eventually(() => expect(one.ofType('subscribed')).toHaveLength(1));
    expect(await Promise.all(Array.from({ length: 50 }, () => refusal(relay)))).toEqual(
      Array(50).fill({ status: 503, retryAfter: '2', code: 'relay_full' }),
    );
    await relay.publish('chat');
    await eventually(() => expect([one.ofType('update').length, two.texts.length]).toEqual([1, 1]));
    one.terminate();
    await eventually(async () => expect((await relay.connect('/ws')).closed).toBeUndefined());
    expect(await relay.metric('relay_refusals_total')).toBeGreaterThanOrEqual(50);
  });

  it('refuses an address at its limit, and trusts X-Forwarded-For only from its proxies', async () => {
    const relay = await start({ MAX_CONNECTIONS_PER_ADDRESS: '2', TRUSTED_PROXIES: '127.0.0.1' });
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    for (let i = 0; i < 2; i += 1) await relay.connect('/ws', from('203.0.113.1'));
    expect(await refusal(relay, { 'x-forwarded-for': '203.0.113.1' })).toEqual({
      status: 429,
      retryAfter: '2',
      code: 'too_many_connections',
    });
    expect(await refusal(relay, { 'x-forwarded-for': '203.0.113.9, 203.0.113.1' })).toMatchObject({ status: 429 });
    // As HAProxy does it: a second line below the one that the client forged.
    expect(await refusal(relay, { 'x-forwarded-for': ['203.0.113.9', '203.0.113.1'] })).toMatchObject({ status: 429 });
    expect(await refusal(relay, { 'x-forwarded-for': ['', '203.0.113.1'] })).toMatchObject({ status: 429 });
    await relay.connect('/ws', from('203.0.113.2'));
  });

  it('admits at most CONNECTION_RATE connections per second', async () => {
    const relay = await start({ CONNECTION_RATE: '5' });
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => relay.connect('/ws?topic=chat')));
    const taken = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(taken).toBeGreaterThanOrEqual(5);
    expect(taken).toBeLessThan(20);
  });
});

describe.each(['none', 'required'])('with SUBSCRIBE_AUTH=%s, a relay', (SUBSCRIBE_AUTH) => {
  it('charges CONNECTION_RATE for topics that messages subscribe to, and closes clients that exceed it', async () => {
    const relay = await start({ CONNECTION_RATE: '5', SUBSCRIBE_AUTH, JWT_SECRET });
    const [many, one] = [await relay.connect('/ws'), await relay.connect('/ws')];
    const subscribe = (client: WsClient, ...topics: readonly string[]) =>
      client.send({ type: 'subscribe', topics: Object.fromEntries(topics.map((topic) => [topic, null])) });
    const pong = async (count: number) => {
      many.send({ type: 'ping' });
      await eventually(() => expect(many.ofType('pong')).toHaveLength(count));
    };
    // Everything that is valid fits once; the debt is paid before the next topic is admitted.
    subscribe(many, ...Array.from({ length: 100 }, (_, i) => `topic/${i}`));
    await pong(1);
    subscribe(one, 'a');
    await eventually(() => expect(one.closed).toEqual({ code: 1013, reason: 'connecting_too_fast' }));
    expect(one.ofType('error')).toEqual([{ type: 'error', code: 'connecting_too_fast' }]);
    expect(await refusal(relay)).toMatchObject({ status: 503, code: 'connecting_too_fast' });
    subscribe(many, 'topic/0'); // costs nothing, because it has the topic
    await pong(2);
    many.send({ type: 'auth', token: await signToken({ topics: ['*'] }) });
    const subscribed = () => many.ofType('subscribed').flatMap(({ topics }) => Object.keys(topics));
    await eventually(() => expect(new Set(subscribed()).size).toBe(100));
    subscribe(many, 'another');
    await eventually(() => expect(many.closed?.reason).toBe('connecting_too_fast'));
    expect(await relay.metric('relay_refusals_total')).toBe(3);
  });
});

describe('a relay with a list of origins', () => {
  it('admits pages of these origins, and no requests from other origins', async () => {
    const relay = await start({ ALLOWED_ORIGINS: 'https://*.example.org', ALLOW_NO_ORIGIN: 'false' });
    await relay.connect('/ws', { headers: { origin: 'https://app.example.org' } });
    expect(await refusal(relay, { origin: 'https://evil.net' })).toMatchObject({
      status: 403,
      code: 'origin_forbidden',
    });
    expect(await refusal(relay)).toMatchObject({ status: 403, code: 'origin_forbidden' });
    const script = async (origin: string) => (await fetch(`${relay.http}/client.js`, { headers: { origin } })).headers;
    const [ours, theirs] = [await script('https://app.example.org'), await script('https://evil.net')];
    expect(ours.get('access-control-allow-origin')).toBe('https://app.example.org');
    expect(theirs.get('access-control-allow-origin')).toBeNull();
    expect([ours.get('vary'), theirs.get('vary')]).toEqual(['Origin', 'Origin']);
  });

  it('applies the list to fetches and Server-Sent Events, and refused pages cannot read the response', async () => {
    const relay = await start({ ALLOWED_ORIGINS: 'https://app.example.org' });
    for (const path of ['/topics/chat', '/events?topic=chat']) {
      const abort = new AbortController();
      const ask = (origin: string, method = 'GET') =>
        fetch(relay.http + path, { method, headers: { origin }, signal: abort.signal });
      const refused = await ask('https://evil.net');
      expect(refused.headers.get('access-control-allow-origin'), path).toBeNull();
      expect(refused.headers.get('vary'), path).toBe('Origin');
      await expectProblem(refused, 403, 'origin_forbidden');
      const [served, preflight] = [await ask('https://app.example.org'), await ask('https://evil.net', 'OPTIONS')];
      expect([served.status, served.headers.get('access-control-allow-origin')]).toEqual([
        200,
        'https://app.example.org',
      ]);
      expect(preflight.headers.get('access-control-allow-methods')).toBeNull();
      abort.abort();
    }
  });
});

describe('a relay with a certificate', () => {
  it('serves WebSockets and the client file over TLS', async () => {
    using certificate = makeCertificate();
    const { certFile, keyFile } = certificate;
    const relay = await start({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
    const ca = readFileSync(certFile);
    const client = await WsClient.open(`wss://127.0.0.1:${relay.port}/ws?topic=chat`, { ca });
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    await relay.publish('chat');
    await eventually(() => expect(client.ofType('update')).toHaveLength(1));
    const [response] = await once(get(`https://127.0.0.1:${relay.port}/client.js`, { ca }), 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    client.terminate();
    await expect(start({ TLS_CERT_FILE: keyFile, TLS_KEY_FILE: certFile })).rejects.toThrow('TLS_CERT_FILE');
  });
});

describe.each(['uws', 'node'])('a relay with TLS, on the engine %s', (RELAY_ENGINE) => {
  it.each([
    {
      rsa: true,
      good: 'ECDHE-RSA-AES128-GCM-SHA256',
      bad: ['ECDHE-RSA-AES128-SHA', 'AES128-GCM-SHA256', 'AES256-SHA'],
    },
    { rsa: false, good: 'ECDHE-ECDSA-AES256-GCM-SHA384', bad: ['ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384'] },
  ])('accepts 1.3 and $good, and neither CBC nor the key exchange of RSA', async ({ rsa, good, bad }) => {
    using certificate = makeCertificate({ rsa });
    const { certFile, keyFile } = certificate;
    const { port } = await start({ RELAY_ENGINE, TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
    const options = { host: '127.0.0.1', port, ca: readFileSync(certFile) };
    const handshake = async (ciphers: string, maxVersion: SecureVersion = 'TLSv1.2') => {
      const socket = connect({ ...options, maxVersion, ciphers: `${ciphers}:@SECLEVEL=0` });
      try {
        await once(socket, 'secureConnect');
        return socket.getCipher().name;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      } finally {
        socket.destroy();
      }
    };
    expect(await handshake(good)).toBe(good);
    expect(await handshake(`TLS_AES_128_GCM_SHA256:${good}`, 'TLSv1.3')).toBe('TLS_AES_128_GCM_SHA256');
    for (const cipher of bad)
      expect([cipher, await handshake(cipher)]).toEqual([cipher, expect.stringMatching(/ALERT|RESET/)]);
  });
});

describe('any relay', () => {
  it('does not reveal its software in responses', async () => {
    const { http } = await start({});
    for (const path of ['/client.js', '/nothing', '/topics/chat', '/ws']) {
      const { headers } = await fetch(http + path);
      expect([...headers.keys()].filter((name) => /uwebsockets|server|powered/i.test(name))).toEqual([]);
    }
  });
});
