import { createConnection } from 'node:net';
import { EventSource } from 'eventsource';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { SseClient } from '../support/sse-client.ts';

let relay: RelayFixture;
let port: string;
beforeEach(async () => {
  port = String(await freePort());
  relay = await startRelay({ env: { RELAY_PORT: port } });
});
afterEach(() => relay.stop());

describe('a standard EventSource in Node', () => {
  const sources: EventSource[] = [];
  afterEach(() => {
    for (const source of sources.splice(0)) source.close();
  });

  function listen(path: string) {
    const source = new EventSource(relay.http + path);
    sources.push(source);
    const updates: { topic: string; version: number }[] = [];
    let subscribed = 0;
    source.addEventListener('subscribed', () => {
      subscribed += 1;
    });
    source.addEventListener('update', ({ data }) => {
      const { topic, version } = JSON.parse(data);
      updates.push({ topic, version });
    });
    return { source, updates, subscribed: () => subscribed };
  }

  it('reconnects after a restart of its relay, and receives exactly the updates it missed, of several topics', async () => {
    const { updates, subscribed } = listen('/events?topic=a&topic=b');
    await eventually(() => expect(subscribed()).toBe(1));
    const before = await relay.publish('a');
    await eventually(() => expect(updates).toEqual([{ topic: 'a', version: before }]));
    const { broker } = relay;
    await relay.relay.stop();
    const missed = await relay.publish('b');
    await using next = await startRelay({ env: { RELAY_PORT: port }, broker });
    await eventually(() => expect(subscribed()).toBe(2), 10_000);
    await eventually(() => expect(updates.slice(1)).toEqual([{ topic: 'b', version: missed }]));
    const last = await next.publish('a');
    await eventually(() => expect(updates.slice(2)).toEqual([{ topic: 'a', version: last }]));
  });

  it('keeps retrying while its relay is full, and gives up if its token is invalid', async () => {
    await relay.relay.stop();
    const env = {
      RELAY_PORT: port,
      MAX_CONNECTIONS: '1',
      SUBSCRIBE_AUTH: 'optional',
      PRIVATE_TOPICS: 'p',
      JWT_SECRET: 'x'.repeat(32),
    };
    const small = await startRelay({ env });
    const first = await SseClient.open(`${small.http}/events?topic=a`);
    await eventually(() => expect(first.ofType('subscribed')).toHaveLength(1));
    const waiting = listen('/events?topic=a');
    await eventually(async () => expect(await small.metric('relay_refusals_total')).toBeGreaterThan(0));
    first.close();
    await eventually(() => expect(waiting.subscribed()).toBe(1), 10_000);
    waiting.source.close();
    await eventually(async () => expect(await small.metric('relay_connections')).toBe(0));
    const denied = listen('/events?topic=p&token=bad');
    await eventually(() => expect(denied.source.readyState).toBe(EventSource.CLOSED));
    await small.stop();
  });
});

describe('a stream', () => {
  it('starts with a retry delay and the current versions, and allows pages and proxies', async () => {
    const version = await relay.publish('a');
    const client = await SseClient.open(`${relay.http}/events?topic=a&topic=never`, { origin: 'https://app.example' });
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    expect(client.retryMs).toBeGreaterThanOrEqual(1000);
    expect(client.retryMs).toBeLessThanOrEqual(4000);
    expect(client.lastEventId).toMatch(new RegExp(`^${version},\\d{16}$`));
    expect(Object.fromEntries(client.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': '*',
    });
    client.close();
  });

  it.each([
    ['without a topic', '/events', 'invalid_topic'],
    ['with an invalid topic', '/events?topic=*', 'invalid_topic'],
    ['with an invalid since', '/events?topic=a&since=x', 'invalid_since'],
    [
      `with more than 16 topics`,
      `/events?${Array.from({ length: 17 }, (_, i) => `topic=t${i}`).join('&')}`,
      'too_many_topics',
    ],
  ])('%s is refused', async (_, path, code) => {
    const response = await fetch(relay.http + path);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code });
  });

  it('that resumes with an invalid id gets every topic', async () => {
    const version = await relay.publish('a');
    const client = await SseClient.open(`${relay.http}/events?topic=a`, { 'last-event-id': 'from another server' });
    await eventually(() => expect(client.ofType('update').map((update) => update.version)).toEqual([version]));
    client.close();
  });

  it('whose reader stops queues nothing in the relay, and sends the newest versions when it resumes', async () => {
    const socket = createConnection(Number(port), '127.0.0.1');
    socket.write('GET /events?topic=a HTTP/1.1\r\nHost: relay\r\n\r\n');
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    await eventually(() => expect(text).toContain('event: subscribed'));
    socket.pause();
    const data = 'x'.repeat(50_000);
    let newest = 0;
    while ((await relay.metric('relay_sessions_behind')) === 0) {
      newest = await relay.publish('a', { data });
      await new Promise(setImmediate);
    }
    for (let n = 0; n < 50; n += 1) newest = await relay.publish('a', { data: n });
    socket.resume();
    await eventually(() => expect(text).toContain(`"version":${newest},"data":49`));
    expect(text).not.toContain('"data":20}');
    await eventually(async () => expect(await relay.metric('relay_sessions_behind')).toBe(0));
    socket.destroy();
  });
});

describe('a request for a register', () => {
  it('is refused if too many others wait', async () => {
    await relay.relay.stop();
    const small = await startRelay({ env: { MAX_LONG_POLLS: '1' } });
    const version = await small.publish('a');
    const headers = { 'if-none-match': `"${version}"`, prefer: 'wait=20' };
    const waiting = fetch(`${small.http}/topics/a`, { headers });
    await eventually(async () => expect(await small.metric('relay_connections')).toBe(1));
    const refused = await fetch(`${small.http}/topics/a`, { headers });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(await refused.json()).toMatchObject({ code: 'relay_full' });
    await small.publish('a');
    expect((await waiting).status).toBe(200);
    await small.stop();
  });

  it.each([
    ['POST', '/topics/a', 405, 'method_not_allowed'],
    ['DELETE', '/events', 405, 'method_not_allowed'],
    ['GET', '/topics/', 400, 'invalid_topic'],
    ['GET', '/topics/a%20b', 400, 'invalid_topic'],
    ['GET', '/topics/%ff', 400, 'invalid_topic'],
    ['GET', `/topics/${'t'.repeat(129)}`, 400, 'invalid_topic'],
  ])('%s %s is refused', async (method, path, status, code) => {
    const response = await fetch(relay.http + path, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
  });

  it('is allowed for pages of other origins by a preflight', async () => {
    const response = await fetch(`${relay.http}/topics/a`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-headers': 'prefer,if-none-match' },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-headers')).toContain('prefer');
  });
});
