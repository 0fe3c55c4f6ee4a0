import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { Heliograph } from '../../services/client/heliograph-client.ts';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import { ENGINES } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { startLoadTest } from '../support/load-test-process.ts';
import { startNginx } from '../support/nginx.ts';
import { sendRaw } from '../support/raw-http.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { SseClient } from '../support/sse-client.ts';
import { WsClient } from '../support/ws-client.ts';

/** More than the least difference for which a relay refuses clients. */
const SURPLUS = 30;

let broker: MemoryBroker;
const stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  broker = new MemoryBroker();
  await broker.start();
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await broker.stop();
});

async function start(env: Record<string, string> = {}): Promise<RelayFixture> {
  const relay = await startRelay({ env, broker });
  stops.push(relay.stop);
  return relay;
}

const refused = async (relay: RelayFixture) =>
  Number(/^relay_refusals_total\{code="rebalancing"\} (\d+)/m.exec(await relay.metrics())?.[1] ?? 0);

/** Answers readiness checks, as the admin port of a relay process does. Returns the port. */
async function startReadiness(): Promise<number> {
  const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(async () => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** Starts a relay that has all clients, beside an empty one, and waits until it knows that. */
async function startUneven(env: Record<string, string> = {}): Promise<{ full: RelayFixture; empty: RelayFixture }> {
  const [full, empty] = [await start(env), await start(env)];
  await Promise.all(Array.from({ length: SURPLUS }, () => full.connect('/ws?topic=chat')));
  await eventually(async () => {
    const probe = await SseClient.open(`${full.http}/events?topic=chat&tries=1`);
    probe.close();
    expect(probe.status).toBe(503);
  });
  return { full, empty };
}

describe.each(ENGINES)('a relay with more than its share of connections, engine %s,', (RELAY_ENGINE) => {
  it('refuses clients that announce tries, with a close code or a status that closes the connection, and no others', async () => {
    const { full, empty } = await startUneven({ RELAY_ENGINE, CONNECTION_RATE: '10000' });
    const before = await full.metric('relay_connections');

    using socket = await full.connect('/ws?topic=chat&tries=2', { headers: { origin: full.http } });
    await eventually(() => expect(socket.closed).toEqual({ code: 4503, reason: 'rebalancing' }));
    expect(socket.texts).toEqual([]);

    const response = await fetch(`${full.http}/events?topic=chat&tries=3`);
    expect(response.headers.get('retry-after')).toBe('0');
    await expectProblem(response, 503, 'rebalancing');
    const raw = await sendRaw(full.port, 'GET /events?topic=chat&tries=1 HTTP/1.1\r\nHost: relay\r\n\r\n');
    expect(raw).toMatch(/\r\nconnection: close\r\n/i); // and it was closed, or this would not have resolved

    expect(await full.metric('relay_connections')).toBe(before);
    for (const query of ['', '&tries=0', '&tries=x', '&tries=-1', '&tries=100']) {
      using client = await full.connect(`/ws?topic=chat${query}`);
      await eventually(() => expect(client.ofType('subscribed'), query).toHaveLength(1));
      using stream = await SseClient.open(`${full.http}/events?topic=chat${query}`);
      expect(stream.status, query).toBe(200);
    }
    expect((await fetch(`${full.http}/topics/chat?tries=3`)).status).toBe(200);
    using elsewhere = await empty.connect('/ws?topic=chat&tries=3');
    await eventually(() => expect(elsewhere.ofType('subscribed')).toHaveLength(1));
    expect(await refused(full)).toBeGreaterThanOrEqual(3);
  });
});

it('a relay refuses no client for having more connections with REBALANCE=0', async () => {
  const [full] = [await start({ REBALANCE: '0' }), await start({ REBALANCE: '0' })];
  await Promise.all(Array.from({ length: SURPLUS }, () => full.connect('/ws?topic=chat')));
  await eventually(async () => expect(await full.metric('relay_cluster_relays')).toBe(2));
  await eventually(async () => expect(await full.metric('relay_cluster_connections')).toBe(SURPLUS));
  using stream = await SseClient.open(`${full.http}/events?topic=chat&tries=3`);
  expect(stream.status).toBe(200);
});

describe('the library', () => {
  it.each(['websocket', 'sse'] as const)('is live on an emptier relay without a failure, by %s', async (transport) => {
    const { full, empty } = await startUneven();
    await using nginx = await startNginx(`
      upstream relays { server 127.0.0.1:${full.port}; server 127.0.0.1:${empty.port}; }
      server {
        listen 127.0.0.1:PORT;
        location / {
          proxy_http_version 1.1; proxy_set_header Connection $http_connection; proxy_set_header Upgrade $http_upgrade;
          proxy_buffering off; proxy_pass http://relays;
        } }`);
    const already = await empty.metric('relay_connections_opened_total');
    const clients = Array.from({ length: 8 }, () => {
      const client = new Heliograph(`http://127.0.0.1:${nginx.port}`, {
        topics: ['chat'],
        transports: [transport],
        WebSocket,
      });
      const errors: unknown[] = [];
      client.on('error', (error) => errors.push(error));
      return { client, errors };
    });
    try {
      await eventually(() => expect(clients.every(({ client }) => client.status === 'live')).toBe(true));
      expect(clients.flatMap(({ errors }) => errors)).toEqual([]);
      // Round robin: those that reached the full relay first reached the empty one next, or one of few tries later.
      expect((await empty.metric('relay_connections_opened_total')) - already).toBeGreaterThanOrEqual(6);
      expect(await refused(full)).toBeGreaterThan(1);
    } finally {
      for (const { client } of clients) client.close();
    }
  });
});

it('the clients of a load test go on to an emptier relay at once, and none of them fails', async () => {
  const { full, empty } = await startUneven();
  const relays = [full, empty].map(({ http }) => `--relay=${http}`);
  const already = await empty.metric('relay_connections_opened_total');
  const args = ['--clients=8', '--ramp=0s', '--rate=0', '--duration=0s', '--transports=ws=50,sse=50', '--json=-'];
  const { code, report } = await startLoadTest([...relays, ...args]).ended;
  expect(report).toMatchObject({ clients: { opened: 8, failed: {}, lost: {}, handshakes: 8 } });
  // Half of them try the full relay first.
  expect(report?.clients.redirected).toBe(4);
  expect((await empty.metric('relay_connections_opened_total')) - already).toBe(8);
  expect(code).toBe(0);
});

describe('refusals for rebalancing', () => {
  it.each(['nginx', 'HAProxy'])('do not make %s eject the relay, and reach the client', async (kind) => {
    const { full } = await startUneven();
    await using proxy =
      kind === 'HAProxy'
        ? await startHaproxy({ relay: [{ port: full.port, adminPort: await startReadiness() }] })
        : await startNginx(`
            upstream relays { server 127.0.0.1:${full.port}; }
            server {
              listen 127.0.0.1:PORT;
              location / {
                proxy_http_version 1.1; proxy_set_header Connection $http_connection; proxy_set_header Upgrade $http_upgrade;
                proxy_buffering off; proxy_pass http://relays;
              } }`);
    const url = `http://127.0.0.1:${proxy.port}`;
    for (let n = 0; n < 40; n += 1) {
      const response = await fetch(`${url}/events?topic=chat&tries=1`);
      await expectProblem(response, 503, 'rebalancing');
      using socket = await WsClient.open(`${url.replace(/^http/, 'ws')}/ws?topic=chat&tries=1`);
      await eventually(() => expect(socket.closed?.code).toBe(4503));
    }
    using admitted = await SseClient.open(`${url}/events?topic=chat&tries=0`);
    expect(admitted.status).toBe(200);
    expect((await fetch(`${url}/topics/chat`)).status).toBe(200);
  });
});

describe.each(ENGINES)('a relay that prepares to stop, engine %s,', (RELAY_ENGINE) => {
  it('answers waiting long-polls, ends connections with their responses, and serves on', async () => {
    const relay = await start({ RELAY_ENGINE });
    const topic = `${relay.http}/topics/chat`;
    const etag = (await fetch(topic)).headers.get('etag') ?? '';
    const polls = Array.from({ length: 5 }, () =>
      fetch(topic, { headers: { 'if-none-match': etag, prefer: 'wait=25' } }),
    );
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(polls.length));
    relay.relay.prepareStop(1000);
    expect((await Promise.all(polls)).map(({ status }) => status)).toEqual(polls.map(() => 304));

    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/client.js', '/topics/chat', '/nothing', '/events']) {
      const request = get({ host: '127.0.0.1', port: relay.port, path, agent });
      const [response] = await once(request, 'response');
      await once(response.resume(), 'end');
      expect([path, response.headers.connection, request.reusedSocket]).toEqual([path, 'close', false]);
    }
    agent.destroy();
    using client = await relay.connect('/ws?topic=chat');
    const version = await relay.publish('chat');
    await eventually(() => expect(client.ofType('update')).toMatchObject([{ version }]));
    using leaving = await relay.connect('/ws?topic=chat&tries=1');
    await eventually(() => expect(leaving.closed?.code).toBe(4503));
  });
});
