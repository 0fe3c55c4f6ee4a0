import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import {
  Heliograph,
  type HeliographOptions,
  type Status,
  type TopicUpdate,
} from '../../services/client/heliograph-client.ts';
import { RETRY_MAX_MS } from '../../services/relay/transport/sse/sse-transport.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startNginx } from '../support/nginx.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

describe.each(['websocket', 'sse', 'longpoll'] as const)('the client library on a relay, by %s', (transport) => {
  let relay: RelayFixture;
  const clients: Heliograph[] = [];
  let port: string;
  beforeEach(async () => {
    port = String(await freePort()); // a port chosen by the system cannot be reused immediately
    relay = await startRelay({ env: { RELAY_PORT: port } });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await relay.stop();
  });

  function listen(options: HeliographOptions, url = relay.http) {
    const client = new Heliograph(url, { WebSocket, transports: [transport], ...options });
    clients.push(client);
    const updates: TopicUpdate[] = [];
    const statuses: Status[] = [];
    client.on('update', (update) => updates.push(update));
    client.on('status', (status) => statuses.push(status));
    return { client, updates, statuses };
  }

  it('receives updates with data and spread, by http and ws addresses', async () => {
    const one = listen({ topics: ['chat'] });
    const two = listen({ topics: ['chat'] }, relay.url);
    await eventually(() => expect([one.client.status, two.client.status]).toEqual(['live', 'live']));
    const version = await relay.publish('chat', { data: { n: 1 }, spread: 20 });
    await eventually(() => {
      expect(one.updates).toEqual([{ topic: 'chat', version, data: { n: 1 }, spread: 20 }]);
      expect(two.updates).toEqual(one.updates);
    });
  });

  it('receives topics that changed since its version on connecting, and none that did not', async () => {
    const old = await relay.publish('a');
    const version = await relay.publish('a', { data: 'new' });
    const behind = listen({ topics: ['a'], since: { a: old } });
    const current = listen({ topics: ['a'], since: { a: version } });
    await eventually(() => expect(behind.updates).toEqual([{ topic: 'a', version, data: 'new' }]));
    await eventually(() => expect(current.client.status).toBe('live'));
    const next = await relay.publish('a');
    await eventually(() => expect(current.updates).toEqual([{ topic: 'a', version: next }]));
  });

  it('receives updates of topics of any name, through a proxy that merges slashes', async () => {
    await using nginx = await startNginx(`server {
      listen 127.0.0.1:PORT;
      location / {
        proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
        proxy_pass ${relay.http}/; # with a path, nginx passes on the one that it normalized
      } }`);
    const topics = ['https://example.org/x', '/x', 'a/../b', '..', 'a//', 'constructor', 'toString', '__proto__'];
    const halves = [topics.slice(0, 4), topics.slice(4)]; // more than four are polled without waiting
    const clients = halves.map((half) => listen({ topics: half, since: {} }, `http://127.0.0.1:${nginx.port}`));
    await eventually(() => expect(clients.map(({ client }) => client.status)).toEqual(['live', 'live']));
    for (const topic of topics) await relay.publish(topic, { data: topic });
    const received = () => clients.flatMap(({ updates }) => updates.map(({ topic, data }) => topic === data && topic));
    await eventually(() => expect(new Set(received())).toEqual(new Set(topics)));
  });

  it('receives updates of a later subscription, and none after it unsubscribed', async () => {
    const { client, updates } = listen({});
    await eventually(() => expect(client.status).toBe('live'));
    const version = await relay.publish('late');
    client.subscribe('late', 1);
    await eventually(() => expect(updates).toEqual([{ topic: 'late', version }]));
    client.unsubscribe('late');
    client.subscribe('other');
    await relay.publish('late');
    await eventually(async () => {
      await relay.publish('other');
      expect(updates.at(-1)?.topic).toBe('other');
    });
    expect(updates.filter(({ topic }) => topic === 'late')).toHaveLength(1);
  });

  it('fetches for a watch that begins from an older version, and not for another one that has the update already', async () => {
    const [older, current] = [await relay.publish('chat'), await relay.publish('chat')];
    const { client } = listen({});
    const runs: string[] = [];
    client.watch('chat', () => void runs.push('current'), { since: current });
    await eventually(() => expect(client.status).toBe('live'));
    client.watch('chat', () => void runs.push('older'), { since: older });
    await eventually(() => expect(runs).toContain('older'));
    await relay.publish('chat');
    await eventually(() => expect(runs).toEqual(['older', 'current', 'older']));
  });

  it('reconnects when the relay drains, and receives missed updates once', async () => {
    const { client, updates, statuses } = listen({ topics: ['chat'] });
    await eventually(() => expect(client.status).toBe('live'));
    const { broker } = relay;
    await relay.relay.stop();
    await eventually(() => expect(statuses).toContain('offline'));
    const version = await relay.publish('chat');
    await using _ = await startRelay({ env: { RELAY_PORT: port }, broker });
    await eventually(() => expect(updates).toEqual([{ topic: 'chat', version }]));
    await eventually(() => expect(client.status).toBe('live'));
    expect(updates).toHaveLength(1);
  });
});

it('the client library subscribes to a thousand topics if the relay allows it, and resumes all of them', async () => {
  const env = { RELAY_PORT: String(await freePort()), MAX_TOPICS: '1000' };
  const first = await startRelay({ env });
  const topics = Array.from({ length: 1000 }, (_, i) => `t${i}`.padEnd(100, '-'));
  const client = new Heliograph(first.http, { WebSocket, topics, transports: ['websocket'] });
  const updates: string[] = [];
  const errors: string[] = [];
  client.on('update', ({ topic }) => updates.push(topic));
  client.on('error', ({ code }) => errors.push(code));
  await eventually(() => expect(client.status).toBe('live'));
  const { broker } = first;
  await first.relay.stop();
  await eventually(() => expect(client.status).not.toBe('live'));
  const last = topics.at(-1) as string;
  await first.publish(last);
  const next = await startRelay({ env, broker });
  await eventually(() => expect(client.status).toBe('live'));
  expect([updates, errors]).toEqual([[last], []]);
  client.subscribe('one-more');
  await eventually(() => expect(errors).toEqual(['too_many_topics']));
  client.close();
  await next.stop();
  await first.stop();
});

it('the client library connects soon after a full relay has a free slot', async () => {
  const relay = await startRelay({ env: { MAX_CONNECTIONS: '1' } });
  const first = await relay.connect('/ws?topic=chat');
  const client = new Heliograph(relay.http, { WebSocket, topics: ['chat'] });
  await eventually(async () => expect(await relay.metric('relay_refusals_total')).toBeGreaterThan(1));
  expect(client.status).not.toBe('live');
  first.terminate();
  const begunAtMs = performance.now();
  await eventually(() => expect(client.status).toBe('live'), RETRY_MAX_MS + 2000);
  console.info(`connected ${Math.round(performance.now() - begunAtMs)} ms after a slot was free`);
  client.close();
  await relay.stop();
});
