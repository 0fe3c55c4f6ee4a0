import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Heliograph, type HeliographOptions } from '../../../services/client/heliograph-client.ts';
import type { Fetcher } from '../../../services/client/watch.ts';
import { FakeBrowser } from '../../support/fake-browser.ts';
import { FakeFetch } from '../../support/fake-fetch.ts';
import { createFakeWebSockets, type FakeWebSocket } from '../../support/fake-web-socket.ts';

describe('a client', () => {
  let sockets: FakeWebSocket[];
  let heliograph: Heliograph;
  const received: unknown[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    received.length = 0;
  });
  afterEach(() => {
    heliograph?.close();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  const last = () => sockets.at(-1) as FakeWebSocket;
  const passes = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
  const asked = () => last().sent.filter(({ type }) => type.endsWith('subscribe'));

  /** Creates a client with an open connection and confirmed topics. */
  function start(options: HeliographOptions = {}): void {
    const fake = createFakeWebSockets();
    sockets = fake.sockets;
    heliograph = new Heliograph('http://relay', { WebSocket: fake.WebSocket, transports: ['websocket'], ...options });
    for (const event of ['update', 'status', 'error'] as const) heliograph.on(event, (value) => received.push(value));
    last().opens();
    const topics = Object.fromEntries((options.topics ?? []).map((topic) => [topic, 1]));
    last().receives({ type: 'subscribed', topics });
  }

  it.each(['a b', '', 'ä', 'x'.repeat(129)])('throws on an invalid topic: %j', (name) => {
    start({ topics: ['chat'] });
    const allowed = new TypeError(`invalid topic: ${name} (use 1 to 128 of A-Z a-z 0-9 . _ ~ : / -)`);
    expect(() => new Heliograph('http://relay', { topics: [name] })).toThrow(allowed);
    expect(() => heliograph.subscribe(name)).toThrow(TypeError);
    expect(() => heliograph.watch(name, () => {})).toThrow(TypeError);
    expect(asked()).toEqual([{ type: 'subscribe', topics: { chat: null } }]);
  });

  it.each([
    ['http://relay', 'ws://relay/ws?tries=3'],
    ['https://relay/push/', 'wss://relay/push/ws?tries=3'],
    ['ws://relay//', 'ws://relay/ws?tries=3'],
    ['wss://relay/ws', 'wss://relay/ws/ws?tries=3'],
    ['https://news.example', 'wss://news.example/ws?tries=3'],
    ['https://relay/a//?token=1#part', 'wss://relay/a/ws?tries=3'],
    ['/push', 'wss://app.example/push/ws?tries=3'],
  ])('connects to the relay at %s', (address, socketUrl) => {
    vi.stubGlobal('location', { href: 'https://app.example/page?query' });
    const { WebSocket, sockets } = createFakeWebSockets();
    heliograph = new Heliograph(address, { WebSocket });
    expect(sockets[0]?.url).toBe(socketUrl);
    vi.unstubAllGlobals();
  });

  it('throws without a page if its address is relative, and if no transport is left', () => {
    expect(() => new Heliograph('/push')).toThrow(TypeError);
    expect(() => new Heliograph('http://relay', { transports: [] })).toThrow(new TypeError('no transport'));
  });

  it.each([
    [{ WebSocket: undefined }, ['/events']],
    [{ transports: ['sse', 'longpoll'] }, ['/events']],
    [{ transports: ['longpoll'] }, ['/topics/chat']],
  ] as const)('uses the first permitted transport that there is: %j', async (options, paths) => {
    const http = new FakeFetch();
    vi.stubGlobal('fetch', http.fetch);
    vi.stubGlobal('WebSocket', undefined);
    heliograph = new Heliograph('http://relay', { topics: ['chat'], ...options });
    await passes();
    expect(http.requests.map(({ url }) => url.pathname)).toEqual(paths);
    vi.unstubAllGlobals();
  });

  it('shares a connection with the tabs of the same relay and name only', async () => {
    const browser = new FakeBrowser();
    vi.stubGlobal('navigator', { locks: browser.locks });
    vi.stubGlobal('BroadcastChannel', browser.BroadcastChannel);
    vi.stubGlobal('document', browser.document);
    vi.stubGlobal('addEventListener', browser.window.addEventListener.bind(browser.window));
    const { WebSocket, sockets } = createFakeWebSockets();
    const open = async (url: string, shared: boolean | string) => {
      const client = new Heliograph(url, { WebSocket, shared, topics: ['chat'] });
      await passes();
      return client;
    };
    const clients = [
      await open('http://relay', true),
      await open('http://relay/', true),
      await open('http://relay', 'ann'),
    ];
    clients.push(
      await open('http://relay', 'ann'),
      await open('http://other', true),
      await open('http://relay', false),
      await open('http://relay', false),
    );
    expect(sockets).toHaveLength(5);
    for (const client of clients) client.close();
    await passes();
    vi.unstubAllGlobals();
  });

  it('has a connection of its own if the environment cannot share one', () => {
    start({ topics: ['chat'], shared: true });
    expect(heliograph.status).toBe('live');
  });

  it('calls a handler until it is removed', () => {
    start({ topics: ['chat'] });
    const versions: number[] = [];
    const stop = heliograph.on('update', ({ version }) => versions.push(version));
    last().receives({ type: 'update', topic: 'chat', version: 2 });
    stop();
    last().receives({ type: 'update', topic: 'chat', version: 3 });
    expect(versions).toEqual([2]);
  });

  it('says which versions of its topics the relay has confirmed', () => {
    start({ topics: ['chat'] });
    const confirmed: unknown[] = [];
    heliograph.on('subscribed', (value) => confirmed.push(value));
    last().receives({ type: 'subscribed', topics: { chat: null, other: 5 } });
    last().receives({ type: 'subscribed', topics: { chat: 7 } });
    expect(confirmed).toEqual([{ topic: 'chat', version: 7 }]);
  });

  it('has a status from the start, and reports each once', () => {
    const { WebSocket, sockets } = createFakeWebSockets();
    heliograph = new Heliograph('http://relay', { WebSocket, topics: ['chat'] });
    expect(heliograph.status).toBe('connecting');
    heliograph.on('status', (status) => received.push(status));
    sockets[0]?.opens();
    for (const version of [1, 1]) sockets[0]?.receives({ type: 'subscribed', topics: { chat: version } });
    expect([received, heliograph.status]).toEqual([['live'], 'live']);
  });

  it('asks for every change since it subscribed on a stale relay, and keeps no versions of other topics', async () => {
    start();
    heliograph.subscribe('chat');
    last().receives({ type: 'subscribed', topics: { chat: null, other: 3 } });
    last().receives({ type: 'update', topic: 'other', version: 4 });
    last().closes(1006);
    await passes(1000);
    last().opens();
    expect(asked()).toEqual([{ type: 'subscribe', topics: { chat: 0 } }]);
    last().receives({ type: 'update', topic: 'chat', version: 5 });
    last().closes(1006);
    await passes(2000);
    last().opens();
    expect(asked()).toEqual([{ type: 'subscribe', topics: { chat: 5 } }]);
  });

  it('runs a watch at once if the relay has confirmed its topic already, after 1 s at the latest otherwise', async () => {
    start({ topics: ['chat'] });
    const [now, later] = [vi.fn(), vi.fn()];
    heliograph.watch('chat', now);
    heliograph.watch('news', later);
    await passes(999);
    expect([now.mock.calls.length, later.mock.calls.length]).toEqual([1, 0]);
    await passes(1);
    expect(later).toHaveBeenCalledTimes(1);
  });

  it('runs a watch as soon as the relay confirms its topic, on the connection of that time', async () => {
    start({ topics: ['chat'] });
    const [first, later] = [vi.fn(), vi.fn()];
    heliograph.watch('news', first);
    last().receives({ type: 'subscribed', topics: { news: 1 } });
    expect(first).toHaveBeenCalledTimes(1);
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    last().closes(1006);
    heliograph.watch('chat', later);
    await passes(500);
    last().opens();
    expect(later).not.toHaveBeenCalled();
    last().receives({ type: 'subscribed', topics: { chat: 1, news: 1 } });
    expect(later).toHaveBeenCalledTimes(1);
  });

  it('asks for the update since the version of a watch that is behind', () => {
    start({ topics: ['chat'] });
    last().receives({ type: 'update', topic: 'chat', version: 5 });
    heliograph.watch('chat', () => {}, { since: 3 });
    expect(asked().at(-1)).toEqual({ type: 'subscribe', topics: { chat: 3 } });
  });

  it('ignores messages of types that it does not know', async () => {
    start({ topics: ['chat'] });
    const fetcher = vi.fn();
    heliograph.watch('chat', fetcher, { since: 1 });
    for (const type of ['close', 'known', 'status']) last().receives(JSON.stringify({ type }));
    last().receives({ type: 'update', topic: 'chat', version: 2 });
    await passes();
    expect([fetcher.mock.calls.length, received]).toEqual([1, ['live', { topic: 'chat', version: 2 }]]);
  });

  it('reports an error that is not about a topic', () => {
    start({ topics: ['chat'] });
    last().receives({ type: 'error', code: 'invalid_message' });
    expect(received).toContainEqual({ code: 'invalid_message' });
  });

  it('runs a watch again and again while it is not live', async () => {
    start({ topics: ['chat'] });
    const fetcher = vi.fn();
    heliograph.watch('chat', fetcher, { since: 1 });
    await passes(35_000);
    expect(fetcher).not.toHaveBeenCalled();
    last().receives({ type: 'freshness', fresh: false });
    await passes(30_000);
    expect(fetcher).toHaveBeenCalled();
  });

  it('subscribes to topics that are named like properties of every object, with and without a version', () => {
    const topics = ['constructor', 'toString', '__proto__', 'hasOwnProperty'];
    start({ topics, since: JSON.parse('{"chat":1,"__proto__":5}') });
    const [subscription] = asked();
    expect(Object.entries(subscription?.topics as object)).toEqual([
      ['constructor', null],
      ['toString', null],
      ['__proto__', 5],
      ['hasOwnProperty', null],
    ]);
    last().receives({ type: 'update', topic: '__proto__', version: 6 });
    expect(received).toContainEqual({ topic: '__proto__', version: 6 });
    heliograph.unsubscribe('constructor');
    expect(asked().at(-1)).toEqual({ type: 'unsubscribe', topics: ['constructor'] });
  });

  it('keeps a watch after unsubscribing by name, and the other way round', async () => {
    start({ topics: ['chat'] });
    const fetcher = vi.fn();
    const stop = heliograph.watch('chat', fetcher, { since: 1 });
    heliograph.unsubscribe('chat');
    last().receives({ type: 'update', topic: 'chat', version: 2 });
    await passes();
    expect(fetcher).toHaveBeenCalledTimes(1);
    heliograph.subscribe('chat');
    stop();
    last().receives({ type: 'update', topic: 'chat', version: 3 });
    await passes();
    expect(fetcher).toHaveBeenCalledTimes(1);
    expect(received).toContainEqual({ topic: 'chat', version: 3 });
    expect(asked().map(({ type }) => type)).not.toContain('unsubscribe');
    heliograph.unsubscribe('chat');
    expect(asked().at(-1)).toEqual({ type: 'unsubscribe', topics: ['chat'] });
    last().receives({ type: 'update', topic: 'chat', version: 4 });
    expect(received).not.toContainEqual({ topic: 'chat', version: 4 });
  });

  it('subscribes once to a topic that is named or watched twice', async () => {
    start({ topics: ['chat', 'chat'] });
    const ends = [heliograph.watch('new', () => {})];
    const once = [
      { type: 'subscribe', topics: { chat: null } },
      { type: 'subscribe', topics: { new: null } },
    ];
    expect(asked()).toEqual(once);
    ends.push(heliograph.watch('new', () => {}));
    expect(asked()).toEqual(once);
    ends[0]?.();
    ends[0]?.();
    expect(asked()).toHaveLength(2);
    ends[1]?.();
    expect(asked().at(-1)).toEqual({ type: 'unsubscribe', topics: ['new'] });
  });

  it('resumes a topic from the oldest version that any of its subscribers has, in whatever order they came', async () => {
    start({ topics: ['chat'] });
    const [shown, behind] = [vi.fn(), vi.fn()];
    heliograph.watch('chat', behind, { since: 1 });
    last().closes(1006);
    heliograph.watch('chat', shown, { since: 2 });
    heliograph.subscribe('chat', 3);
    heliograph.watch('chat', vi.fn());
    await passes(1000);
    expect(sockets).toHaveLength(2);
    last().opens();
    expect(asked()[0]).toEqual({ type: 'subscribe', topics: { chat: 1 } });
    last().receives({ type: 'subscribed', topics: { chat: 3 } });
    last().receives({ type: 'update', topic: 'chat', version: 3 });
    await passes();
    expect(behind).toHaveBeenCalledTimes(1);
  });

  it('ends a watch when its signal is aborted', async () => {
    start({ topics: ['chat'] });
    const fetcher = vi.fn();
    const controller = new AbortController();
    heliograph.watch('chat', fetcher, { since: 1, signal: controller.signal });
    controller.abort();
    heliograph.watch('chat', fetcher, { signal: controller.signal });
    last().receives({ type: 'update', topic: 'chat', version: 2 });
    await passes(60_000);
    expect(fetcher).not.toHaveBeenCalled();
  });

  it('removes its listener from a signal that outlives the watch', () => {
    start({ topics: ['chat'] });
    const { signal } = new AbortController();
    const stop = heliograph.watch('chat', () => {}, { since: 1, signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    stop();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('reports which topic is forbidden, and keeps the others', () => {
    start({ topics: ['chat'] });
    heliograph.subscribe('secret');
    last().receives({ type: 'error', code: 'topic_forbidden', topic: 'secret' });
    last().receives({ type: 'update', topic: 'chat', version: 2 });
    expect(received).toEqual(['live', { code: 'topic_forbidden', topic: 'secret' }, { topic: 'chat', version: 2 }]);
  });

  it('calls the other handlers if one throws', () => {
    const complain = vi.spyOn(console, 'error').mockImplementation(() => {});
    start({ topics: ['chat'] });
    heliograph.on('update', () => {
      throw new Error('a mistake of the page');
    });
    const after: unknown[] = [];
    heliograph.on('update', ({ version }) => after.push(version));
    last().receives({ type: 'update', topic: 'chat', version: 2 });
    expect(after).toEqual([2]);
    expect(complain).toHaveBeenCalledTimes(1);
  });

  it('does nothing once it is closed, whatever is called, and leaves no timer', async () => {
    start({ topics: ['chat'] });
    const fetcher = vi.fn();
    const stop = heliograph.watch('chat', fetcher, { since: 1 });
    heliograph.watch('chat', fetcher, { since: 1 });
    received.length = 0;
    heliograph.close();
    expect(received).toEqual(['offline']);
    expect(vi.getTimerCount()).toBe(0);
    stop();
    heliograph.close();
    heliograph.subscribe('more');
    heliograph.unsubscribe('more');
    heliograph.watch('chat', fetcher);
    expect(vi.getTimerCount()).toBe(0);
    await passes(3_600_000);
    expect([fetcher.mock.calls.length, sockets.length, received]).toEqual([0, 1, ['offline']]);
  });

  it('can be closed by a handler of the status offline', () => {
    start({ topics: ['chat'] });
    heliograph.on('status', (status) => status === 'offline' && heliograph.close());
    last().closes(1006);
    expect(vi.getTimerCount()).toBe(0);
    expect(heliograph.status).toBe('offline');
  });

  describe('says in the console, if no handler listens,', () => {
    let warnings: unknown[][];
    let errors: unknown[][];

    beforeEach(() => {
      vi.spyOn(console, 'warn').mockImplementation((...texts) => void warnings.push(texts));
      vi.spyOn(console, 'error').mockImplementation((...texts) => void errors.push(texts));
      [warnings, errors] = [[], []];
      const fake = createFakeWebSockets();
      sockets = fake.sockets;
      heliograph = new Heliograph('http://relay', { WebSocket: fake.WebSocket, topics: ['chat'] });
      last().opens();
      last().receives({ type: 'subscribed', topics: { chat: 1 } });
    });

    it('which topic the relay refused', () => {
      last().receives({ type: 'error', code: 'topic_forbidden', topic: 'chat' });
      expect(warnings).toEqual([['Heliograph', { code: 'topic_forbidden', topic: 'chat' }]]);
      heliograph.on('error', () => {});
      last().receives({ type: 'error', code: 'topic_forbidden', topic: 'chat' });
      expect(warnings).toHaveLength(1);
    });

    it('what a fetcher threw', async () => {
      const mistake = new Error('a mistake of the page');
      heliograph.watch('chat', () => Promise.reject(mistake), { since: 1 });
      last().receives({ type: 'update', topic: 'chat', version: 2 });
      await passes();
      expect(errors).toEqual([['Heliograph', { topic: 'chat', code: 'fetch_failed', error: mistake }]]);
      heliograph.on('error', (error) => received.push(error));
      last().receives({ type: 'update', topic: 'chat', version: 3 });
      await passes(1000);
      expect(errors).toHaveLength(1);
      expect(received[0]).toEqual({ topic: 'chat', code: 'fetch_failed', error: mistake });
    });

    it('which content stays behind', async () => {
      heliograph.watch('chat', () => 'chat=1', { since: 1 });
      last().receives({ type: 'update', topic: 'chat', version: 2 });
      await passes();
      expect(warnings).toEqual([['Heliograph', { topic: 'chat', code: 'content_behind', version: 1, expected: 2 }]]);
    });
  });

  it('does not run a watch for an update that the page shows already', async () => {
    start({ topics: ['chat'] });
    const fetcher = vi.fn();
    heliograph.watch('chat', fetcher, { since: 1 });
    heliograph.known('chat', 3);
    heliograph.known('chat', 5, { previous: 4 });
    last().receives({ type: 'update', topic: 'chat', version: 3 });
    await passes();
    expect(fetcher).not.toHaveBeenCalled();
    last().receives({ type: 'update', topic: 'chat', version: 5 });
    await passes();
    expect(fetcher).toHaveBeenCalledTimes(1);
  });

  it('throws on an invalid version of known content', () => {
    start({ topics: ['chat'] });
    for (const version of [-1, 1.5, Number.NaN, '2' as never]) {
      expect(() => heliograph.known('chat', version)).toThrow(`invalid version: ${version},`);
      expect(() => heliograph.known('chat', 2, { previous: version })).toThrow(TypeError);
    }
    expect(() => heliograph.known('a b', 2)).toThrow('invalid topic: a b');
  });

  describe('that fetches', () => {
    let app: { url: string; init: RequestInit; answer(version?: string): Promise<void> }[];
    let fetches: ReturnType<typeof vi.fn<Fetcher>>;

    beforeEach(() => {
      app = [];
      vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
        return new Promise<Response>((resolve) => {
          const answer = async (version?: string) => {
            resolve(new Response('', version === undefined ? {} : { headers: { 'heliograph-version': version } }));
            await passes();
          };
          app.push({ url, init, answer });
        });
      });
      fetches = vi.fn<Fetcher>();
      start({ topics: ['chat'] });
      heliograph.watch('chat', fetches, { since: 1 });
    });
    afterEach(() => vi.unstubAllGlobals());

    const updated = async (version: number) => {
      last().receives({ type: 'update', topic: 'chat', version });
      await passes(1);
    };

    it('does not run a watch for its own write, also if the update arrives before the response', async () => {
      void heliograph.fetch('/comments', { method: 'POST' });
      await updated(2);
      await app[0]?.answer('news=9;previous=8, chat=2;previous=1');
      void heliograph.fetch('/comments', { method: 'POST' });
      await app[1]?.answer('chat=3;previous=2');
      await updated(3);
      expect(fetches).not.toHaveBeenCalled();
      await updated(4);
      expect(fetches).toHaveBeenCalledTimes(1);
    });

    it('runs a watch that has missed an update before the write', async () => {
      void heliograph.fetch(new Request('http://app/comments', { method: 'PUT' }));
      await updated(3);
      expect(fetches).not.toHaveBeenCalled();
      await app[0]?.answer('chat=3;previous=2');
      expect(fetches).toHaveBeenCalledTimes(1);
    });

    it.each(['chat=2', 'chat=2;previous=1, news=new', undefined])(
      'runs a watch if the response to a write names %j: nothing proves that it is the next',
      async (header) => {
        void heliograph.fetch('/comments', { method: 'POST' });
        await app[0]?.answer(header);
        await updated(2);
        expect(fetches).toHaveBeenCalledTimes(1);
      },
    );

    it('lets watches wait for a write for two seconds at most, and not after one that failed', async () => {
      void heliograph.fetch('/comments', { method: 'POST' });
      await updated(2);
      await passes(1998);
      expect(fetches).not.toHaveBeenCalled();
      await passes(1);
      expect(fetches).toHaveBeenCalledTimes(1);
      vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed')));
      await expect(heliograph.fetch('/comments', { method: 'POST' })).rejects.toThrow('fetch failed');
      await app[0]?.answer();
      await updated(3);
      expect(fetches).toHaveBeenCalledTimes(2);
    });

    it.each([{}, { method: 'get' }, { method: 'HEAD' }])('holds no watch for a read: %j', async (init) => {
      void heliograph.fetch('/comments', init);
      void heliograph.fetch(new Request('http://app/comments', init));
      await updated(2);
      expect(fetches).toHaveBeenCalledTimes(1);
      await app[0]?.answer('chat=3;previous=2');
      await updated(3);
      expect(fetches).toHaveBeenCalledTimes(2);
    });

    it.each(['FORGET', 'GETTER'])('takes the method %s for one that writes', async (method) => {
      void heliograph.fetch('/comments', { method });
      await updated(2);
      expect(fetches).not.toHaveBeenCalled();
    });

    it('waits for each of several writes', async () => {
      for (const method of ['DELETE', 'PATCH']) void heliograph.fetch('/comments', { method });
      await updated(2);
      for (const write of app) {
        expect(fetches).not.toHaveBeenCalled();
        await write.answer();
      }
      expect(fetches).toHaveBeenCalledTimes(1);
    });

    it('leaves the cache to the app if it chooses one, and returns the response', async () => {
      const response = heliograph.fetch('/comments', { cache: 'force-cache', method: 'POST' });
      expect(app[0]?.init).toEqual({ cache: 'force-cache', method: 'POST' });
      await app[0]?.answer('chat=1');
      expect((await response).headers.get('heliograph-version')).toBe('chat=1');
    });

    it('runs a watch again whose response is older than the update', async () => {
      fetches.mockImplementation(({ signal }) => heliograph.fetch('/comments', { signal }));
      await updated(3);
      expect(app[0]?.init).toMatchObject({ cache: 'no-cache' });
      await app[0]?.answer('chat=2');
      await passes(1000);
      expect(fetches).toHaveBeenCalledTimes(2);
      expect(received).toContainEqual({ topic: 'chat', code: 'content_behind', version: 2, expected: 3 });
    });
  });
});
