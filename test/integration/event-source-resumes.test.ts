import { createConnection } from 'node:net';
import { EventSource } from 'eventsource';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ENGINES } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { FailingBroker } from '../support/failing-broker.ts';
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
    await eventually(() => expect(subscribed()).toBe(2));
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
    await eventually(() => expect(waiting.subscribed()).toBe(1));
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
    ['in an unknown format', '/events?topic=a&format=html', 'unknown_format'],
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

  it('without a topic is answered with an example', async () => {
    const response = await fetch(`${relay.http}/events`);
    expect(await response.json()).toMatchObject({ detail: 'The URL must have a topic: /events?topic=chat' });
  });

  it.each(['lastEventId', 'Last-Event-ID'])('resumes by the parameter %s, like by the header', async (name) => {
    const [one, two] = [await relay.publish('a'), await relay.publish('b')];
    const resume = (id: string, headers = {}) =>
      SseClient.open(`${relay.http}/events?topic=a&topic=b&${name}=${encodeURIComponent(id)}`, headers);
    using client = await resume(`${one},${two - 1}`);
    await eventually(() => expect(client.ofType('update').map(({ version }) => version)).toEqual([two]));
    using headed = await resume(`${one},${two - 1}`, { 'last-event-id': `${one - 1},${two}` });
    await eventually(() => expect(headed.ofType('update').map(({ version }) => version)).toEqual([one]));
    using empty = await resume('');
    await eventually(() => expect(empty.ofType('subscribed')).toHaveLength(1));
    using invalid = await resume('from another server');
    await eventually(() => expect(invalid.ofType('update')).toHaveLength(2));
    expect(empty.ofType('update')).toEqual([]);
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

describe.each(ENGINES)('a stream for Turbo, by the engine %s', (engine) => {
  const REFRESH = '<turbo-stream action="refresh"></turbo-stream>';
  let turboRelay: RelayFixture;
  let broker: FailingBroker;
  beforeEach(async () => {
    broker = new FailingBroker();
    turboRelay = await startRelay({ env: { RELAY_ENGINE: engine, REPAIR_INTERVAL: '100ms' }, ownBroker: broker });
  });
  afterEach(() => turboRelay.stop());

  const open = (query: string, headers = {}) =>
    SseClient.open(`${turboRelay.http}/events?format=turbo&${query}`, headers);
  const unnamed = ({ events }: SseClient) => events.filter(({ name }) => name === '');

  it('has one unnamed event for each update, whatever its data, and resumes by its ids', async () => {
    using client = await open('topic=a&topic=b');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    expect(unnamed(client)).toEqual([]);
    const a = await turboRelay.publish('a', { data: '\n\ndata: x' });
    await eventually(() => expect(unnamed(client)).toMatchObject([{ data: REFRESH }]));
    const b = await turboRelay.publish('b');
    await eventually(() => expect(unnamed(client)).toMatchObject([{}, { data: REFRESH, id: `${a},${b}` }]));
    using resumed = await open('topic=a&topic=b', { 'last-event-id': `${a},${b - 1}` });
    await eventually(() => expect(unnamed(resumed)).toMatchObject([{ data: REFRESH, id: `${a},${b}` }]));
    using current = await open('topic=a&topic=b', { 'last-event-id': `${a},${b}` });
    await eventually(() => expect(current.ofType('subscribed')).toHaveLength(1));
    expect(unnamed(current)).toEqual([]);
  });

  it('has named events, which Turbo ignores, for what is no update', async () => {
    using client = await open('topic=a');
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    broker.failing = true;
    await eventually(() => expect(client.ofType('freshness').at(-1)).toEqual({ type: 'freshness', fresh: false }));
    expect(unnamed(client)).toEqual([]);
  });

  it('receives updates spread over time, because Turbo cannot spread its fetches', async () => {
    using client = await open('topic=a&topic=b');
    using json = await SseClient.open(`${turboRelay.http}/events?topic=a`);
    for (const each of [client, json]) await eventually(() => expect(each.ofType('subscribed')).toHaveLength(1));
    const before = client.lastEventId.split(',')[0];
    await turboRelay.publish('a', { spread: 3_600_000 });
    const b = await turboRelay.publish('b');
    await eventually(() => expect(json.ofType('update')).toHaveLength(1));
    await eventually(() => expect(unnamed(client)).toMatchObject([{ id: `${before},${b}` }]));
    const a = await turboRelay.publish('a', { spread: 10 });
    await eventually(() => expect(unnamed(client)).toMatchObject([{}, { id: `${a},${b}` }]));
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

  it('knows every version that If-None-Match names (RFC 9110, section 13.1.2), and waits for another one', async () => {
    const version = await relay.publish('a', { data: 1 });
    const ask = (tags: string, headers = {}) =>
      fetch(`${relay.http}/topics/a`, { headers: { 'if-none-match': tags, ...headers } });
    const lists = [
      `"${version}"`,
      `W/"${version}"`,
      `"${version}-gzip"`,
      `"x", "1", "${version}", "9007199254740991"`,
      '*',
    ];
    for (const tags of lists) expect((await ask(tags)).status, tags).toBe(304);
    for (const tags of ['"1"', '"x"', `"1${version}"`, version.toString()]) {
      expect((await ask(tags)).status, tags).toBe(200);
    }
    const waiting = lists.map((tags) => ask(tags, { prefer: 'wait=20' }));
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(lists.length));
    const next = await relay.publish('a', { data: 2 });
    for (const response of await Promise.all(waiting)) {
      expect(await response.json()).toEqual({ topic: 'a', version: next, data: 2 });
    }
  });

  it('may name its topic in the query, once', async () => {
    const topic = 'https://example.org/x';
    const version = await relay.publish(topic);
    const named = await fetch(`${relay.http}/topics/?topic=${topic}`);
    expect(await named.json()).toEqual({ topic, version });
    for (const path of ['/topics/a?topic=b', '/topics/?topic=a&topic=b', '/topics/?topic=a%20b']) {
      expect(await (await fetch(relay.http + path)).json()).toMatchObject({ code: 'invalid_topic' });
    }
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
    for (const path of ['/topics/a', '/events']) {
      const requested = 'prefer,if-none-match,traceparent,baggage,sentry-trace,cache-control,hx-request,hx-target';
      const response = await fetch(relay.http + path, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example',
          'access-control-request-headers': `${requested}, cookie, x-forwarded-for`,
        },
      });
      expect(response.status).toBe(204);
      const allowed = response.headers.get('access-control-allow-headers')?.split(', ');
      expect(allowed).toEqual(expect.arrayContaining(requested.split(',')));
      expect(allowed).not.toContain('x-forwarded-for');
    }
  });
});
