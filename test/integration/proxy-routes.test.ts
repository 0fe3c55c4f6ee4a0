import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { findProgram } from '../support/find-program.ts';
import { freePort } from '../support/free-port.ts';
import { type Haproxy, startHaproxy } from '../support/haproxy.ts';
import { startNginx } from '../support/nginx.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { readmeExample } from '../support/readme-example.ts';
import { RecordingBroker } from '../support/recording-broker.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { SseClient } from '../support/sse-client.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { startWebhook } from '../support/webhook-fixture.ts';
import { WsClient } from '../support/ws-client.ts';

const CONFIG = fileURLToPath(new URL('../../deploy/haproxy.cfg', import.meta.url));

describe('the proxy of deploy/compose.yaml', () => {
  let services: ServiceProcess[] = [];
  let haproxy: Haproxy;
  let http: string;

  beforeAll(async () => {
    const env = {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      NODE_ENV: 'production', // as in the image
      DRAIN_WINDOW: '0s',
    };
    const [relay, webhook] = await Promise.all([startService('relay', env), startService('webhook', env)]);
    const chat = await startService('chat', {
      WEBHOOK_URL: `http://127.0.0.1:${webhook.port}/webhook`,
      WEBHOOK_TOKEN,
      RELAY_PUBLIC_URL: 'http://localhost:8080',
    });
    services = [relay, webhook, chat];
    haproxy = await startHaproxy({ relay: [relay], webhook: [webhook], chat: [chat] });
    http = haproxy.url.replace('ws:', 'http:');
    await eventually(async () => expect((await fetch(`${http}/client.js`)).status).toBe(200));
  });
  afterAll(async () => {
    await haproxy?.stop();
    await Promise.all(services.map((service) => service.stop('SIGKILL')));
  });

  it('has a configuration that HAProxy accepts unchanged', () => {
    const haproxyProgram = findProgram('haproxy', 'haproxy');
    const check = () => execFileSync(haproxyProgram, ['-c', '-V', '-f', CONFIG], { encoding: 'utf8', stdio: 'pipe' });
    expect(check()).toContain('Configuration file is valid');
  });

  it('routes an update from the webhook to clients of every transport', async () => {
    using websocket = await WsClient.open(`${haproxy.url}/ws?topic=chat`);
    using legacy = await WsClient.open(`${haproxy.url}/update_check?topic=chat`);
    using sse = await SseClient.open(`${http}/events?topic=chat`);
    const register = await fetch(`${http}/topics/chat`);
    const longPoll = fetch(`${http}/topics/chat`, {
      headers: { 'If-None-Match': register.headers.get('etag') ?? '', Prefer: 'wait=10' },
    });
    await eventually(() => expect(websocket.ofType('subscribed')).toHaveLength(1));
    await eventually(() => expect(sse.events.length).toBeGreaterThan(0));
    const published = await fetch(`${http}/webhook`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${WEBHOOK_TOKEN}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ topic: 'chat', data: { n: 1 } }),
    });
    expect(published.status).toBe(200);
    const { updates } = (await published.json()) as { updates: { version: number }[] };
    const receipt = await fetch(`${http}/updates/${updates[0]?.version}?topic=chat`, {
      headers: { Authorization: `Bearer ${WEBHOOK_TOKEN}` },
    });
    expect(await receipt.json()).toMatchObject({ topic: 'chat', relays: [expect.anything()] });
    await eventually(() => expect(websocket.ofType('update')).toMatchObject([{ topic: 'chat', data: { n: 1 } }]));
    await eventually(() => expect(legacy.texts).toEqual(['UPDATED']));
    await eventually(() => expect(sse.ofType('update')).toHaveLength(1));
    expect(await (await longPoll).json()).toMatchObject({ topic: 'chat', data: { n: 1 } });
  });

  it('routes calls with their topics in the URL to the webhook', async () => {
    for (const path of ['/webhook/repo/a', '/webhook/repo%2Fa', '/webhook?topic=repo/a']) {
      const headers = { Authorization: `Bearer ${WEBHOOK_TOKEN}` };
      const response = await fetch(`${http}${path}`, { method: 'POST', headers });
      expect(await response.json()).toMatchObject({ updates: [{ topic: 'repo/a' }] });
    }
    await expectProblem(await fetch(`${http}/hooks/nothing`, { method: 'POST' }), 404, 'unknown_source');
  });

  it('serves the descriptions of relay and webhook under paths of their own', async () => {
    const titleOf = async (path: string) => (await (await fetch(`${http}${path}`)).json()).info.title;
    expect(await titleOf('/webhook/openapi.json')).toBe('Heliograph webhook');
    expect(await titleOf('/relay/openapi.json')).toBe('Heliograph relay');
    expect(await titleOf('/openapi.json')).toBe('Heliograph relay');
    expect((await fetch(`${http}/asyncapi.json`)).status).toBe(200);
  });

  it('serves the client under each of its paths, with its source map and its npm package', async () => {
    const { headers } = await fetch(`${http}/client.js`);
    for (const name of ['content-location', 'sourcemap']) {
      expect((await fetch(`${http}${headers.get(name)}`)).status, name).toBe(200);
    }
    const tarball = await fetch(`${http}/heliograph-client.tgz`);
    expect([tarball.status, tarball.headers.get('content-type')]).toEqual([200, 'application/gzip']);
  });

  it('forwards the real addresses of clients to relays', async () => {
    const { port, adminPort } = { port: await freePort(), adminPort: await freePort() };
    await using _ = await startService('relay', {
      REDIS_URL: inject('redisUrl'),
      HELIOGRAPH_PREFIX: randomPrefix(),
      RELAY_PORT: String(port),
      ADMIN_PORT: String(adminPort),
      MAX_CONNECTIONS_PER_ADDRESS: '2',
      TRUSTED_PROXIES: '127.0.0.1',
      DRAIN_WINDOW: '0s',
    });
    await using own = await startHaproxy({ relay: [{ port, adminPort }] });
    await eventually(async () => expect((await fetch(`${own.url.replace('ws', 'http')}/client.js`)).status).toBe(200));
    const connect = (made: string) =>
      WsClient.open(`${own.url}/ws?topic=chat`, {
        headers: { 'x-forwarded-for': made },
        localAddress: '127.0.0.9', // not the proxy's address
      });
    const clients = [await connect('203.0.113.1'), await connect('203.0.113.2')];
    // HAProxy adds the real address in a line below the one that the client forged.
    await expect(connect('203.0.113.3')).rejects.toThrow('429');
    for (const client of clients) client.terminate();
  });

  it('serves the chat, whose pages may connect to relays under the same host name, unlike other pages', async () => {
    const page = await fetch(`${http}/`);
    expect(await page.text()).toContain('data-relay="http://localhost:8080"');
    const connect = (origin: string) => WsClient.open(`${haproxy.url}/ws?topic=chat`, { origin });
    const own = await connect('http://127.0.0.1:8080');
    own.terminate();
    await expect(connect('https://elsewhere.example')).rejects.toThrow('403');
  });

  it('does not expose admin ports', async () => {
    for (const path of ['/metrics', '/readyz', '/livez']) expect((await fetch(`${http}${path}`)).status).toBe(404);
  });
});

it('the documented locations of nginx pass topics to the webhook as they were sent', async () => {
  const broker = new RecordingBroker();
  const webhook = await startWebhook({ broker });
  const locations = readmeExample('nginx', 'proxy_pass').replace('http://webhook:8090', webhook.url);
  await using nginx = await startNginx(`server { listen 127.0.0.1:PORT; ${locations} }`);
  const post = (path: string) =>
    fetch(`http://127.0.0.1:${nginx.port}${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${WEBHOOK_TOKEN}` },
    });
  const paths = ['/webhook/chat', '/webhook?topic=chat', '/webhook/a%2Fb', '/webhook/https://example.org/x'];
  for (const path of paths) expect((await post(path)).status, path).toBe(200);
  expect(broker.published.map(({ topic }) => topic)).toEqual(['chat', 'chat', 'a/b', 'https://example.org/x']);
  await expectProblem(await post('/hooks/nothing'), 404, 'unknown_source');
  for (const path of ['/webhooks', '/hooks', '/events']) {
    expect((await post(path)).headers.get('content-type'), path).toBe('text/html'); // of nginx itself
  }
  await webhook.stop();
});
