import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSse } from '../../../services/client/sse-connection.ts';
import type { TransportConnection } from '../../../services/client/transport.ts';
import { FakeFetch } from '../../support/fake-fetch.ts';

describe('a connection over Server-Sent Events', () => {
  let http: FakeFetch;
  let connection: TransportConnection;
  let topics: Map<string, number | null>;
  const messages: unknown[] = [];
  const ends: [code: number, reason: string][] = [];

  beforeEach(() => {
    http = new FakeFetch();
    vi.stubGlobal('fetch', http.fetch);
    topics = new Map([
      ['a/b', 5],
      ['c', null],
    ]);
    messages.length = ends.length = 0;
  });
  afterEach(() => {
    connection.close();
    vi.unstubAllGlobals();
  });

  async function open(token?: string): Promise<void> {
    connection = openSse({
      url: 'http://relay/push',
      topics,
      token,
      triesLeft: 3,
      message: (message) => messages.push(message),
      closed: (code, reason) => ends.push([code, reason]),
    });
    await setImmediate();
  }
  /** Lets a stream, which no clock delays, deliver what it has. */
  async function turns(): Promise<void> {
    for (let i = 0; i < 50; i += 1) await setImmediate();
  }
  async function said(count: number): Promise<void> {
    await turns();
    expect(messages).toHaveLength(count);
  }
  async function ended(code: number, reason = ''): Promise<void> {
    await turns();
    expect(ends).toEqual([[code, reason]]);
  }

  it('requests its topics with their versions, and sends its token in a header', async () => {
    await open('t1');
    const { url, headers } = http.last;
    expect(url.pathname).toBe('/push/events');
    expect(url.searchParams.getAll('topic')).toEqual(['a/b', 'c']);
    expect(url.searchParams.get('since')).toBe('5,');
    expect(url.searchParams.get('tries')).toBe('3');
    expect(url.search).not.toContain('t1');
    expect(headers.get('authorization')).toBe('Bearer t1');
  });

  it('sends no header without a token, so that browsers need no preflight request', async () => {
    await open();
    expect([...http.last.headers]).toEqual([]);
  });

  it('delivers messages however the stream is cut into chunks', async () => {
    await open();
    http.last.stream();
    const update = { type: 'update', topic: 'c', version: 7, data: 'Grüße \u2028event: ping\u{1f600}' };
    const text = `retry: 1500\n\nid: 5,6\nevent: subscribed\ndata: {"type":"subscribed","topics":{"c":6}}\n\n: a comment\r\n\r\nevent: ping\ndata: {}\n\nid: 5,7\r\nevent: update\r\ndata: ${JSON.stringify(update)}\r\n\r\nevent: freshness\ndata: {"type":"freshness","fresh":false}\n\n`;
    for (const byte of new TextEncoder().encode(text)) http.last.send(Uint8Array.of(byte));
    await said(5);
    expect(messages).toEqual([
      { type: 'freshness', fresh: true },
      { type: 'subscribed', topics: { c: 6 } },
      { type: 'pong' },
      update,
      { type: 'freshness', fresh: false },
    ]);
  });

  it('reopens the stream once for all changes of a turn, with the versions known then', async () => {
    await open('t1');
    const first = http.last;
    first.stream();
    await setImmediate();
    first.send('event: ping\ndata: {}\n\n');
    topics.set('d', 9);
    topics.set('c', 8);
    connection.subscribe(new Map([['d', 9]]));
    topics.delete('a/b');
    connection.unsubscribe(['a/b']);
    connection.auth('t2');
    await setImmediate();
    expect(first.isAborted).toBe(true);
    expect(http.requests).toHaveLength(2);
    expect(http.last.url.searchParams.getAll('topic')).toEqual(['c', 'd']);
    expect(http.last.url.searchParams.get('since')).toBe('8,9');
    expect(http.last.headers.get('authorization')).toBe('Bearer t2');
    expect(messages).toEqual([]);
    expect(ends).toEqual([]);
  });

  it('reopens the stream on a ping', async () => {
    await open();
    connection.ping();
    await setImmediate();
    expect(http.open).toHaveLength(1);
    expect(http.requests).toHaveLength(2);
  });

  it('closes if the stream is cut', async () => {
    await open();
    http.last.stream();
    http.last.send('retry: 1500\n\nevent: subscribed\ndata: {"type":"subscribed","topics":{"c":6}}\n\n');
    await said(2);
    http.last.fail();
    await ended(1006);
  });

  it('closes if the request fails', async () => {
    await open();
    http.last.fail();
    await ended(1006);
  });

  it('passes on the delay that a draining relay sets', async () => {
    await open();
    http.last.stream();
    http.last.send('retry: 1500\n\nevent: subscribed\ndata: {"type":"subscribed","topics":{"c":6}}\n\n');
    http.last.send('retry: 321\n\n');
    http.last.end();
    await ended(1012, '321');
  });

  it('passes on the delay that a full relay sets', async () => {
    await open();
    http.last.stream();
    http.last.send('retry: 2500\n\n');
    http.last.end();
    await ended(1012, '2500');
  });

  it.each([
    [400, 'invalid_topic', 1008],
    [401, 'unauthorized', 4401],
    [403, 'origin_forbidden', 4403],
    [429, 'too_many_connections', 4429],
    [503, 'relay_full', 1013],
  ])('closes with the code that corresponds to %i %s', async (status, code, closeCode) => {
    await open();
    http.last.answer(status, { code });
    await ended(closeCode);
    expect(messages).toEqual([{ type: 'error', code }]);
  });

  it.each([
    [403, '<h1>Blocked</h1>'],
    [503, '{}'],
    [404, { code: 'not_found' }],
    [200, '<h1>Log in to this network</h1>'],
  ])('counts as lost if %i did not come from a relay', async (status, body) => {
    await open();
    http.last.answer(status, body);
    await ended(1006);
  });

  it('connects to another relay without an error if the relay has too many clients', async () => {
    await open();
    http.last.answer(503, { code: 'rebalancing' });
    await ended(4503);
    expect(messages).toEqual([]);
  });

  it('is not fresh by a confirmation without versions', async () => {
    await open();
    http.last.stream();
    http.last.send('event: subscribed\ndata: {"type":"subscribed","topics":{"a/b":null,"c":null}}\n\n');
    await said(1);
    expect(messages).toEqual([{ type: 'subscribed', topics: { 'a/b': null, c: null } }]);
  });

  it('leaves more than 16 topics to another transport', async () => {
    await open();
    for (let i = 0; i < 14; i += 1) topics.set(`t${i}`, 1);
    connection.subscribe(new Map([['t13', 1]]));
    await setImmediate();
    expect(http.last.url.searchParams.getAll('topic')).toHaveLength(16);
    expect(ends).toEqual([]);
    topics.set('t14', 1);
    connection.subscribe(new Map([['t14', 1]]));
    expect(ends).toEqual([[1012, '0']]);
  });

  it('sends no request without topics', async () => {
    topics.clear();
    await open();
    expect(http.requests).toHaveLength(0);
    expect(messages).toEqual([{ type: 'pong' }]);
  });

  it('delivers nothing after it was closed', async () => {
    await open();
    http.last.stream();
    await setImmediate();
    http.last.send('event: ping\ndata: {}\n\n');
    connection.close();
    await setImmediate();
    expect(http.last.isAborted).toBe(true);
    expect([messages, ends]).toEqual([[], []]);
  });
});
