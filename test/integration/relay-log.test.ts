import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { get } from 'node:http';
import { SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startNginx } from '../support/nginx.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let relay: RelayFixture | undefined;
afterEach(async () => {
  await relay?.stop();
  relay = undefined;
});

/** The log without the lines about the engine, which differ between platforms. */
const lines = (running: RelayFixture) =>
  running.log.map((line) => JSON.parse(line)).filter(({ engine }) => engine === undefined);
const sentences = (running: RelayFixture) => lines(running).map(({ msg }) => msg);

/** The status of a GET request, also with headers that `fetch` does not send. */
async function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const [response] = await once(get(url, { headers, agent: false }), 'response');
  response.resume();
  return response.statusCode;
}

describe('the log of a relay', () => {
  it('has no line per client: not for one that connects, receives an update, is refused, misbehaves or disconnects', async () => {
    relay = await startRelay({ env: { MAX_TOPICS: '1' } });
    expect(sentences(relay)).toEqual(['relay is fresh']);
    for (let i = 0; i < 20; i += 1) {
      const client = await relay.connect('/ws?topic=chat');
      await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
      client.send(i % 2 ? 'nonsense' : '{"type":"subscribe","topics":{"":null}}');
      await eventually(() => expect(client.ofType('error')).toHaveLength(1));
      client.terminate();
    }
    await relay.publish('chat');
    await expect(relay.connect('/ws?topic=a&topic=b')).rejects.toThrow('400');
    await eventually(async () => expect(await relay?.metric('relay_connections')).toBe(0));
    expect(sentences(relay)).toEqual(['relay is fresh']);
  });

  it('says once that it refuses pages by every transport, behind a proxy that changes Host', async () => {
    relay = await startRelay({ env: { NODE_ENV: 'production' } });
    await using nginx = await startNginx(
      `server { listen 127.0.0.1:PORT; location / { proxy_http_version 1.1; proxy_pass ${relay.http}; } }`,
    );
    const headers = { host: 'push.example.org', origin: 'https://push.example.org' };
    for (const path of ['/events?topic=a', '/topics/a']) {
      expect(await statusOf(`http://127.0.0.1:${nginx.port}${path}`, headers), path).toBe(403);
    }
    await expect(relay.connect('/ws', { origin: headers.origin })).rejects.toThrow('403');
    expect(lines(relay).slice(1)).toMatchObject([
      { code: 'origin_forbidden', msg: expect.stringContaining('Host'), err: { origin: headers.origin } },
    ]);
  });

  it('says when the relay drains, and how many clients it closes', async () => {
    const going = await startRelay();
    const client = await going.connect('/ws?topic=chat');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    await going.relay.stop();
    await going.stop();
    expect(lines(going).slice(1)).toMatchObject([
      { msg: 'closing all connections', clients: 1, windowMs: 0 },
      { msg: 'all connections closed' },
    ]);
  });

  it('says why token keys cannot be loaded, once for many clients, and shows no token', async () => {
    const port = await freePort();
    relay = await startRelay({ env: { SUBSCRIBE_AUTH: 'required', JWKS_URL: `http://127.0.0.1:${port}/keys` } });
    const { privateKey } = generateKeyPairSync('ed25519');
    const token = await new SignJWT({ topics: ['chat'] }).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey);
    for (let i = 0; i < 10; i += 1) {
      const client = await relay.connect(`/ws?topic=chat&token=${token}`);
      await eventually(() => expect(client.closed?.code).toBe(1013));
    }
    const refusals = lines(relay).filter(({ code }) => code === 'keys_unavailable');
    expect(refusals).toMatchObject([{ level: 40, msg: 'refusing clients' }]);
    expect(refusals[0].err.message).toMatch(/the key set cannot be loaded.*ECONNREFUSED/s);
    for (const part of token.split('.')) expect(relay.log.join('')).not.toContain(part);
    expect(await relay.metric('relay_refusals_total')).toBe(10);
  });
});
