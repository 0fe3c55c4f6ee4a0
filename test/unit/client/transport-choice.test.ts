import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createConnector } from '../../../services/client/connector.ts';
import type { Source, Status } from '../../../services/client/transport.ts';
import { createTransportChoice } from '../../../services/client/transport-choice.ts';
import { FakeConnections } from '../../support/fake-connection.ts';

const NAMES = ['websocket', 'sse', 'longpoll'] as const;

describe('the choice of a transport', () => {
  let connections: FakeConnections;
  let source: Source | undefined;
  let topics: Map<string, null>;
  const statuses: Status[] = [];

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    connections = new FakeConnections();
    topics = new Map([['chat', null]]);
    statuses.length = 0;
  });
  afterEach(() => {
    source?.close();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  /** Starts a client. */
  function start(names: readonly (typeof NAMES)[number][] = NAMES): void {
    const openers = names.map((name) => [name, connections.opener(name)] as const);
    source = createConnector({
      url: 'http://relay',
      topics,
      open: createTransportChoice({ openers, key: 'relay' }),
      message() {},
      status: (status) => statuses.push(status),
    });
    source.connect();
  }

  const works = () => connections.last.delivers({ type: 'subscribed', topics: { chat: 1 } });
  const fails = () => connections.last.closes(1006);

  /** Lets time pass on a connection that receives pongs. */
  function passes(ms: number): void {
    const connection = connections.last;
    for (let left = ms; left > 0; left -= 10_000) {
      vi.advanceTimersByTime(Math.min(left, 10_000));
      if (connection === connections.last) connection.delivers({ type: 'pong' });
    }
  }

  it('begins with the best, and falls back at once to the first that works', () => {
    start();
    fails();
    vi.advanceTimersByTime(500);
    fails();
    vi.advanceTimersByTime(500);
    expect(connections.names).toEqual(['websocket', 'sse', 'longpoll']);
    works();
    expect(statuses.at(-1)).toBe('live');
    expect(connections.open).toBe(1);
  });

  it('falls back if a connection opens and delivers nothing', () => {
    start();
    vi.advanceTimersByTime(8000 + 500);
    expect(connections.names).toEqual(['websocket', 'sse']);
    expect(connections.open).toBe(1);
  });

  it('starts again with the best, with growing delays, while none works', () => {
    start();
    for (let i = 0; i < 60; i += 1) {
      fails();
      vi.advanceTimersByTime(1000);
      if (connections.open === 0) vi.advanceTimersByTime(15_000);
    }
    expect(connections.names.slice(0, 7)).toEqual([...NAMES, ...NAMES, 'websocket']);
    expect(connections.open).toBe(1);
  });

  it('stays with the best while that works', () => {
    start();
    works();
    passes(3_600_000);
    expect([connections.names, statuses.at(-1)]).toEqual([['websocket'], 'live']);
  });

  it('waits as usual after a failure that selects no next one, and after that of the last one', () => {
    start();
    for (const _ of ['sse', 'longpoll']) {
      fails();
      vi.advanceTimersByTime(250);
    }
    works();
    for (const delayMs of [500, 1000, 2000, 4000]) {
      const { length } = connections.names;
      fails();
      vi.advanceTimersByTime(delayMs - 1);
      expect(connections.names).toHaveLength(length);
      vi.advanceTimersByTime(1);
      expect(connections.names).toHaveLength(length + 1);
    }
    expect(connections.names.slice(2)).toEqual([...Array(4).fill('longpoll'), 'websocket']);
  });

  it('stays with one that has worked for two failures, and falls back after three', () => {
    start();
    works();
    for (let i = 0; i < 3; i += 1) {
      fails();
      vi.advanceTimersByTime(8000);
    }
    expect(connections.names).toEqual(['websocket', 'websocket', 'websocket', 'websocket']);
    fails();
    vi.advanceTimersByTime(500);
    expect(connections.names.at(-1)).toBe('sse');
  });

  it.each([1008, 1012, 1013])('stays if a relay itself closes, with code %d', (code) => {
    start();
    connections.last.closes(code);
    vi.advanceTimersByTime(8000);
    expect(connections.names).toEqual(['websocket', 'websocket']);
  });

  it('returns to the best after a minute at the earliest, never with two connections', () => {
    start();
    fails();
    vi.advanceTimersByTime(500);
    works();
    passes(59_999);
    expect(connections.names).toEqual(['websocket', 'sse']);
    passes(31_001);
    expect(connections.names).toEqual(['websocket', 'sse', 'websocket']);
    expect(connections.open).toBe(1);
    works();
    vi.advanceTimersByTime(20_000);
    expect(statuses.at(-1)).toBe('live');
  });

  it('returns at once to the one that worked if the better one fails again', () => {
    start();
    fails();
    vi.advanceTimersByTime(500);
    works();
    passes(90_001);
    expect(connections.last.name).toBe('websocket');
    fails();
    vi.advanceTimersByTime(500);
    expect(connections.last.name).toBe('sse');
  });

  it('remembers the one that worked for the next page of the tab', () => {
    const kept = new Map<string, string>();
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
    });
    start();
    fails();
    vi.advanceTimersByTime(500);
    works();
    source?.close();
    start();
    expect(connections.names).toEqual(['websocket', 'sse', 'sse']);
  });

  it.each([
    ['2', 'longpoll'],
    ['4', 'sse'],
    ['x', 'websocket'],
    ['', 'websocket'],
  ])('begins with one that exists, even if another version of the library remembered %j', (kept, name) => {
    vi.stubGlobal('sessionStorage', { getItem: (key: string) => (key === 'relay' ? kept : null), setItem() {} });
    start();
    expect(connections.names).toEqual([name]);
  });

  it('waits for a random part of half a second before the next one', () => {
    start();
    fails();
    vi.advanceTimersByTime(249);
    expect(connections.names).toEqual(['websocket']);
    vi.advanceTimersByTime(1);
    expect(connections.names).toEqual(['websocket', 'sse']);
  });

  it('leaves no timer when it is closed', () => {
    start();
    fails();
    vi.advanceTimersByTime(500);
    works();
    source?.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('works if the browser denies storage', () => {
    vi.stubGlobal('sessionStorage', {
      getItem() {
        throw new Error('forbidden');
      },
      setItem() {
        throw new Error('forbidden');
      },
    });
    start();
    works();
    expect(statuses.at(-1)).toBe('live');
  });

  it('polls if there are more topics than one stream carries', () => {
    topics = new Map(Array.from({ length: 17 }, (_, i) => [`t${i}`, null]));
    start();
    fails();
    vi.advanceTimersByTime(500);
    expect(connections.names).toEqual(['websocket', 'longpoll']);
  });

  it.each([
    [16, NAMES],
    [17, ['websocket', 'sse']],
  ] as const)('streams %i topics if %j are permitted', (count, names) => {
    topics = new Map(Array.from({ length: count }, (_, i) => [`t${i}`, null]));
    start(names);
    fails();
    vi.advanceTimersByTime(500);
    expect(connections.names).toEqual(['websocket', 'sse']);
  });

  it('forwards requests to the connection over the chosen transport', () => {
    start();
    source?.subscribe(new Map([['news', null]]));
    source?.unsubscribe(['news']);
    source?.wake();
    expect(connections.last.requests).toEqual(['subscribe news', 'unsubscribe news', 'ping']);
    const openers = [['websocket', connections.opener()]] as const;
    const deps = { url: 'http://relay', topics, triesLeft: 3, message() {}, closed() {} };
    createTransportChoice({ openers, key: 'relay' })(deps).auth('t2');
    expect(connections.last.requests).toEqual(['auth t2']);
  });

  it('uses only the permitted ones', () => {
    start(['longpoll']);
    fails();
    vi.advanceTimersByTime(1000);
    expect(connections.names).toEqual(['longpoll', 'longpoll']);
  });
});
