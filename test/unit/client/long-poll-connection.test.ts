import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { recordVersions } from '../../../services/client/known-versions.ts';
import { openLongPoll } from '../../../services/client/long-poll-connection.ts';
import type { TransportConnection } from '../../../services/client/transport.ts';
import { FakeFetch, type FakeRequest } from '../../support/fake-fetch.ts';

describe('a long-poll connection', () => {
  let http: FakeFetch;
  let connection: TransportConnection;
  let topics: Map<string, number | null>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  const messages: any[] = [];
  const ends: number[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1);
    http = new FakeFetch();
    vi.stubGlobal('fetch', http.fetch);
    topics = new Map([['a/b', 5]]);
    messages.length = ends.length = 0;
  });
  afterEach(() => {
    connection.close();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const passes = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

  async function open(token?: string): Promise<void> {
    connection = openLongPoll({
      url: 'http://relay',
      topics,
      token,
      triesLeft: 3,
      message(message) {
        recordVersions(topics, message);
        messages.push(message);
      },
      closed: (code) => ends.push(code),
    });
    await passes();
  }
  async function answers(status: number, body?: unknown, request: FakeRequest = http.last): Promise<void> {
    request.answer(status, body);
    await passes();
  }
  const updates = () => messages.filter(({ type }) => type === 'update');
  const wait = () => http.last.headers.get('prefer');

  it('repeats a request that gets no response, even while others get theirs', async () => {
    topics.set('c', 7);
    await open();
    const [dead, other] = http.requests as [FakeRequest, FakeRequest];
    await answers(304, undefined, other);
    await passes(9_999);
    expect(dead.isAborted).toBe(false);
    await passes(1);
    expect(dead.isAborted).toBe(true);
    expect(http.last.url.pathname).toBe('/topics/a%2Fb');
    await answers(304);
    expect(wait()).toBe('wait=25');
    const waiting = http.last;
    await passes(34_999);
    expect(waiting.isAborted).toBe(false);
    await passes(1);
    expect(waiting.isAborted).toBe(true);
  });

  it.each(['https://example.org/x', '/x', 'a/../b', '..', '.', './x'])(
    'names a topic that a path cannot carry in the query: %s',
    async (topic) => {
      topics = new Map([[topic, 5]]);
      await open();
      expect([http.last.url.pathname, http.last.url.searchParams.get('topic')]).toEqual(['/topics/', topic]);
    },
  );

  it('does not take the register of another topic for its own', async () => {
    await open();
    await answers(200, { topic: 'a', version: 9 });
    expect(messages).toEqual([]);
    expect(ends).toEqual([1006]);
  });

  it('asks for the current version at once, then waits for a change', async () => {
    await open('t1');
    expect(http.last.url.pathname).toBe('/topics/a%2Fb');
    expect(http.last.headers.get('if-none-match')).toBe('"5"');
    expect(http.last.headers.get('authorization')).toBe('Bearer t1');
    expect(wait()).toBeNull();
    await answers(304);
    expect(messages).toContainEqual({ type: 'subscribed', topics: { 'a/b': 5 } });
    expect(wait()).toBe('wait=25');
    await passes(12_501);
    await answers(200, { topic: 'a/b', version: 6, data: { n: 1 }, spread: 9 });
    expect(updates()).toEqual([{ type: 'update', topic: 'a/b', version: 6, data: { n: 1 }, spread: 9 }]);
    await passes(250);
    expect(http.last.headers.get('if-none-match')).toBe('"6"');
    expect(wait()).toBe('wait=25');
  });

  it('delivers no update if no version was known', async () => {
    topics.set('a/b', null);
    await open();
    expect([...http.last.headers]).toEqual([]);
    await answers(200, { topic: 'a/b', version: 7 });
    expect(messages).toContainEqual({ type: 'subscribed', topics: { 'a/b': 7 } });
    expect(updates()).toEqual([]);
  });

  it('delivers an update for any other version, even a lower one', async () => {
    await open();
    await answers(200, { topic: 'a/b', version: 3 });
    expect(updates()).toEqual([{ type: 'update', topic: 'a/b', version: 3 }]);
  });

  it('polls again as soon as a wait is over', async () => {
    await open();
    await answers(304);
    for (let i = 0; i < 3; i += 1) {
      const count = http.requests.length;
      await passes(25_000);
      await answers(304);
      expect(http.requests).toHaveLength(count + 1);
    }
  });

  it('does not take a response within half the time for one that was held', async () => {
    await open();
    await answers(304);
    await passes(12_500);
    await answers(304);
    expect(http.requests).toHaveLength(2);
    await passes(5000);
    expect(http.requests).toHaveLength(3);
    await passes(12_501);
    await answers(304);
    expect(http.requests).toHaveLength(4);
  });

  it('slows down if a server responds without waiting', async () => {
    await open();
    await answers(304);
    await answers(304);
    expect(http.requests).toHaveLength(2);
    await passes(4999);
    expect(http.requests).toHaveLength(2);
    await passes(1);
    expect(http.requests).toHaveLength(3);
  });

  it('is stale while the relay of one topic is, although that of another is fresh', async () => {
    topics.set('c', 7);
    await open();
    const [one, other] = http.requests as [FakeRequest, FakeRequest];
    await answers(503, { code: 'not_fresh' }, one);
    await answers(304, undefined, other);
    const freshness = () => messages.filter(({ type }) => type === 'freshness').map(({ fresh }) => fresh);
    expect([freshness(), wait()]).toEqual([[false, false], 'wait=25']);
    await passes(5000);
    await answers(304);
    expect(freshness()).toEqual([false, false, true]);
  });

  it('is fresh again without the only topic whose relay is stale', async () => {
    topics.set('c', 7);
    await open();
    const [one, other] = http.requests as [FakeRequest, FakeRequest];
    await answers(503, { code: 'not_fresh' }, one);
    await answers(304, undefined, other);
    expect(messages.at(-1)).toEqual({ type: 'freshness', fresh: false });
    topics.delete('a/b');
    connection.unsubscribe(['a/b']);
    expect(messages.at(-1)).toEqual({ type: 'freshness', fresh: true });
  });

  it('is stale while the relay is, and polls slowly until it is fresh', async () => {
    await open();
    await answers(503, { code: 'not_fresh' });
    expect(messages.at(-1)).toEqual({ type: 'freshness', fresh: false });
    expect(ends).toEqual([]);
    await passes(4999);
    expect(http.requests).toHaveLength(1);
    vi.mocked(Math.random).mockReturnValue(0);
    await passes(1);
    expect(wait()).toBeNull();
    await answers(503, { code: 'not_fresh' });
    await passes(2499);
    expect(http.requests).toHaveLength(2);
    vi.mocked(Math.random).mockReturnValue(1);
    await passes(1);
    await answers(200, { topic: 'a/b', version: 5 });
    expect(messages.filter(({ type }) => type === 'freshness').at(-1)).toEqual({ type: 'freshness', fresh: false });
    await passes(5000);
    await answers(304);
    expect(messages.filter(({ type }) => type === 'freshness').at(-1)).toEqual({ type: 'freshness', fresh: true });
    // A client that is fresh again waits for the next update: a pause would hide it for seconds.
    expect(wait()).toBe('wait=25');
  });

  it('keeps the other topics if one is rejected', async () => {
    topics.set('c', 1);
    await open();
    const [a, c] = http.requests;
    await answers(403, { code: 'topic_forbidden' }, a);
    expect(messages).toEqual([{ type: 'error', code: 'topic_forbidden', topic: 'a/b' }]);
    await answers(304, undefined, c);
    expect(http.open.at(-1)?.url.pathname).toBe('/topics/c');
    expect(ends).toEqual([]);
  });

  it.each([
    [401, 'unauthorized', 4401],
    [403, 'topic_forbidden', 4403],
    [429, 'too_many_connections', 4429],
    [503, 'relay_full', 1013],
    [503, 'draining', 1012],
  ])('closes if no topic is left after %i %s', async (status, code, closeCode) => {
    await open();
    await answers(status, { code });
    expect(ends).toEqual([closeCode]);
  });

  it('closes although there are other topics if a later connection may be accepted', async () => {
    topics.set('c', 1);
    await open();
    await answers(503, { code: 'relay_full' }, http.requests[0]);
    expect(ends).toEqual([1013]);
    expect(messages).toEqual([{ type: 'error', code: 'relay_full', topic: 'a/b' }]);
  });

  it.each([
    [403, '<h1>Blocked</h1>'],
    [502, ''],
    [200, '<h1>Log in to this network</h1>'],
  ])('counts as lost if %i did not come from a relay', async (status, body) => {
    await open();
    await answers(status, body);
    expect([ends, messages]).toEqual([[1006], []]);
  });

  it('counts as lost if the network fails', async () => {
    await open();
    http.last.fail();
    await passes();
    expect(ends).toEqual([1006]);
  });

  it.each([
    [4, 'wait=25'],
    [5, null],
  ])('with %i topics waits as long as %s', async (count, prefer) => {
    topics = new Map(Array.from({ length: count }, (_, i) => [`t${i}`, 1]));
    await open();
    for (const request of [...http.requests]) await answers(304, undefined, request);
    await passes(prefer === null ? 5000 : 0);
    expect([http.requests.length, wait()]).toEqual([count * 2, prefer]);
  });

  it('sends no request without topics, and is confirmed all the same', async () => {
    topics.clear();
    await open();
    expect([http.requests, messages]).toEqual([[], [{ type: 'pong' }]]);
  });

  it('polls without waiting if there are too many topics, more slowly the more there are', async () => {
    topics = new Map(Array.from({ length: 20 }, (_, i) => [`t${i}`, 1]));
    await open();
    expect(http.requests).toHaveLength(20);
    for (const request of [...http.requests]) await answers(304, undefined, request);
    await passes(5999);
    expect(http.requests).toHaveLength(20);
    await passes(1);
    expect(http.requests).toHaveLength(40);
    expect(http.requests.every(({ headers }) => !headers.has('prefer'))).toBe(true);
  });

  it('polls at once on a subscription or a ping', async () => {
    await open();
    await answers(304);
    connection.ping();
    await passes();
    expect(http.requests).toHaveLength(3);
    expect(http.open).toHaveLength(1);
    expect(wait()).toBeNull();
    await answers(304);
    topics.set('a/b', 2);
    connection.subscribe(new Map([['a/b', 2]]));
    topics.set('c', null);
    connection.subscribe(new Map([['c', null]]));
    await passes();
    expect(http.requests.slice(-2).map(({ url }) => url.pathname)).toEqual(['/topics/a%2Fb', '/topics/c']);
    expect(http.requests.at(-2)?.headers.get('if-none-match')).toBe('"2"');
  });

  it('stops polling a topic after unsubscribing from it', async () => {
    await open();
    await answers(304);
    topics.delete('a/b');
    connection.unsubscribe(['a/b']);
    expect(http.last.isAborted).toBe(true);
    await passes(60_000);
    expect(http.requests).toHaveLength(2);
    expect(ends).toEqual([]);
  });

  it.each<[number, unknown]>([
    [200, { topic: 'a/b', version: 6 }],
    [503, { code: 'relay_full' }],
  ])(
    'delivers nothing of a response with status %i that is read while its topic is unsubscribed',
    async (...response) => {
      await open();
      http.last.answer(...response);
      topics.delete('a/b');
      connection.unsubscribe(['a/b']);
      await passes();
      expect([messages, ends]).toEqual([[], []]);
    },
  );

  it('requests nothing for a topic that is unsubscribed in the same turn', async () => {
    await open();
    connection.subscribe(new Map([['c', null]]));
    connection.unsubscribe(['c']);
    await passes();
    expect(http.requests).toHaveLength(1);
  });

  it('waits for changes of four topics as soon as the others are gone', async () => {
    topics = new Map(Array.from({ length: 5 }, (_, i) => [`t${i}`, 1]));
    await open();
    for (const request of [...http.requests]) await answers(304, undefined, request);
    await passes(5000);
    topics.delete('t0');
    connection.unsubscribe(['t0']);
    for (const request of http.open.slice(-4)) await answers(304, undefined, request);
    expect(http.open.slice(-4).map(({ headers }) => headers.get('prefer'))).toEqual(Array(4).fill('wait=25'));
  });

  it('sends a renewed token at once, since a waiting request would end with the old one', async () => {
    await open('t1');
    await answers(304);
    expect(wait()).toBe('wait=25');
    connection.auth('t2');
    await passes();
    expect(http.open).toHaveLength(1);
    expect(http.last.headers.get('authorization')).toBe('Bearer t2');
    expect(messages.filter(({ type }) => type === 'error')).toEqual([]);
    expect(ends).toEqual([]);
  });

  it('delivers nothing after it was closed, and leaves no timer', async () => {
    await open();
    await answers(304);
    await answers(304);
    connection.close();
    await passes();
    expect(vi.getTimerCount()).toBe(0);
    const count = messages.length;
    await passes(60_000);
    expect([messages.length, http.requests.length, ends.length]).toEqual([count, 2, 0]);
  });
});
