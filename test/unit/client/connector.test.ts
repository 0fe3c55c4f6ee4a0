import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createConnector } from '../../../services/client/connector.ts';
import type { Source, Status } from '../../../services/client/transport.ts';
import { FakeConnections } from '../../support/fake-connection.ts';

describe('a connector', () => {
  let connections: FakeConnections;
  const statuses: Status[] = [];
  const messages: unknown[] = [];
  const topics = new Map<string, number | null>([['chat', null]]);
  let connector: Source;

  const connection = () => connections.last;
  const open = () => connections.open;
  const subscribed = (version: number | null) =>
    connection().delivers({ type: 'subscribed', topics: { chat: version } });

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    connections = new FakeConnections();
    statuses.length = 0;
    messages.length = 0;
    connector = createConnector({
      url: 'http://relay',
      topics,
      open: connections.opener(),
      message: (message) => messages.push(message),
      status: (status) => statuses.push(status),
    });
    connector.connect();
  });
  afterEach(() => {
    connector.close();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it('is live once every topic has a version, and not before', () => {
    subscribed(null);
    expect(statuses.at(-1)).toBe('connecting');
    subscribed(7);
    expect(statuses).toEqual(['connecting', 'connecting', 'live']);
  });

  it('pings at once after unsubscribing from the last unconfirmed topic', () => {
    connector.unsubscribe(['chat']);
    expect(connection().requests).toEqual(['unsubscribe chat', 'ping']);
    connection().delivers({ type: 'pong' });
    expect(statuses.at(-1)).toBe('live');
    connector.unsubscribe(['chat']);
    expect(connection().requests.filter((request) => request === 'ping')).toHaveLength(1);
  });

  it('counts a topic that the relay rejects as confirmed, but no error about anything else', () => {
    connection().delivers({ type: 'error', code: 'topic_forbidden', topic: 'news' });
    connection().delivers({ type: 'error', code: 'invalid_message' });
    expect(statuses.at(-1)).toBe('connecting');
    connection().delivers({ type: 'error', code: 'topic_forbidden', topic: 'chat' });
    expect(statuses.at(-1)).toBe('live');
  });

  it('without topics is live once the relay responds, which its freshness is not', () => {
    connector.unsubscribe(['chat']);
    connection().delivers({ type: 'freshness', fresh: true });
    expect(statuses.at(-1)).toBe('connecting');
    connection().delivers({ type: 'pong' });
    expect(statuses.at(-1)).toBe('live');
  });

  it('waits for topics that were subscribed to before it is live, and stays live for those after', () => {
    connector.subscribe(new Map([['news', null]]));
    subscribed(7);
    expect(statuses.at(-1)).toBe('connecting');
    connection().delivers({ type: 'subscribed', topics: { news: 1 } });
    connector.subscribe(new Map([['more', null]]));
    connection().delivers({ type: 'pong' });
    expect(statuses.at(-1)).toBe('live');
  });

  it('judges each connection by its own messages', () => {
    subscribed(7);
    connection().delivers({ type: 'freshness', fresh: false });
    connection().delivers({ type: 'error', code: 'not_fresh' });
    connection().closes(1006, '');
    vi.advanceTimersByTime(500);
    subscribed(null);
    expect(statuses.at(-1)).toBe('connecting');
    subscribed(7);
    expect(statuses.at(-1)).toBe('live');
    messages.length = 0;
    connection().closes(4403, '');
    expect(messages).toEqual([{ type: 'error', code: 'topic_forbidden' }]);
  });

  it('is stale while the relay is not fresh, whatever else it sends', () => {
    subscribed(7);
    connection().delivers({ type: 'freshness', fresh: false });
    connection().delivers({ type: 'update', topic: 'chat', version: 8 });
    expect(statuses.at(-1)).toBe('stale');
    connection().delivers({ type: 'freshness', fresh: true });
    expect(statuses.at(-1)).toBe('live');
  });

  it('is stale until the relay is fresh, even after a version', () => {
    subscribed(7);
    connection().delivers({ type: 'freshness', fresh: false });
    subscribed(null);
    expect(statuses.at(-1)).toBe('stale');
    subscribed(8);
    expect(statuses.at(-1)).toBe('stale');
  });

  it('pings after 30 s of silence, and reconnects if there is no pong within 10 s', () => {
    subscribed(7);
    vi.advanceTimersByTime(29_999);
    expect(connection().requests).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(connection().requests).toEqual(['ping']);
    connection().delivers({ type: 'pong' });
    vi.advanceTimersByTime(30_000);
    expect(connection().requests).toEqual(['ping', 'ping']);
    vi.advanceTimersByTime(10_000);
    expect(connections.all[0]?.isClosed).toBe(true);
    expect(statuses.at(-1)).toBe('offline');
    vi.advanceTimersByTime(1000);
    expect(connections.all).toHaveLength(2);
  });

  it('gives up a connection that does not open within 8 s, also after one that did', () => {
    for (let i = 0; i < 2; i += 1) {
      vi.advanceTimersByTime(7999);
      expect(open()).toBe(1);
      vi.advanceTimersByTime(1);
      expect([open(), connection().requests]).toEqual([0, []]);
      vi.advanceTimersToNextTimer();
      subscribed(7);
      connection().closes(1006, '');
      vi.advanceTimersToNextTimer();
    }
  });

  it('gives a connection 8 more seconds to open if the browser wakes up meanwhile', () => {
    vi.advanceTimersByTime(7000);
    connector.wake();
    expect(connection().requests).toEqual(['ping']);
    vi.advanceTimersByTime(7999);
    expect(open()).toBe(1);
    vi.advanceTimersByTime(1);
    expect(open()).toBe(0);
  });

  it('waits longer after each failure, never has two connections, and resets the delays after a stable one', () => {
    const waits: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      const before = Date.now();
      connection().closes(1006, '');
      expect(open()).toBe(0);
      while (open() === 0) vi.advanceTimersByTime(100);
      expect(open()).toBe(1);
      waits.push(Date.now() - before);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    subscribed(7);
    vi.advanceTimersByTime(11_000);
    connection().delivers({ type: 'pong' });
    connection().closes(1006, '');
    vi.advanceTimersByTime(500);
    expect(open()).toBe(1);
  });

  it('keeps the delays after a connection that was live for less than 10 s', () => {
    const lasts = (ms: number) => {
      subscribed(7);
      vi.advanceTimersByTime(ms);
      connection().delivers({ type: 'pong' });
      const before = Date.now();
      connection().closes(1006, '');
      while (open() === 0) vi.advanceTimersByTime(100);
      return Date.now() - before;
    };
    expect([lasts(9999), lasts(9999), lasts(9999), lasts(10_000)]).toEqual([500, 1000, 2000, 500]);
  });

  it('resets them also if topics that were added since then have no response', () => {
    connection().closes(1006, '');
    vi.advanceTimersByTime(500);
    subscribed(7);
    connector.subscribe(new Map([['news', null]]));
    vi.advanceTimersByTime(10_000);
    connection().delivers({ type: 'pong' });
    connection().closes(1006, '');
    vi.advanceTimersByTime(500);
    expect(open()).toBe(1);
  });

  it.each(['', 'soon', '7 s', 's 7', '-5'])(
    'reconnects as usual if a draining relay sets no time, but %j',
    (reason) => {
      connection().closes(1012, reason);
      vi.advanceTimersByTime(499);
      expect(open()).toBe(0);
      vi.advanceTimersByTime(1);
      expect(open()).toBe(1);
      connection().closes(1012, reason);
      connector.wake();
      expect(open()).toBe(1);
    },
  );

  it('reconnects at the time that a draining relay set, even if the browser wakes up earlier', () => {
    subscribed(7);
    connection().closes(1012, '750');
    connector.wake();
    vi.advanceTimersByTime(749);
    expect(open()).toBe(0);
    vi.advanceTimersByTime(1);
    expect(open()).toBe(1);
  });

  it('connects again at once, at most three times, if a relay refuses it because others have fewer clients', () => {
    subscribed(7);
    statuses.length = 0;
    for (const triesLeft of [3, 2, 1]) {
      expect(connection().options.triesLeft).toBe(triesLeft);
      connection().closes(4503, 'rebalancing');
      expect(open()).toBe(1);
    }
    expect(connection().options.triesLeft).toBe(0);
    expect(new Set(statuses)).toEqual(new Set(['connecting']));
    connection().closes(4503, 'rebalancing');
    expect([open(), statuses.at(-1)]).toEqual([0, 'offline']);
    vi.advanceTimersByTime(4000);
    expect(connection().options.triesLeft).toBe(3);
    expect(messages.filter((message) => (message as { type: string }).type === 'error')).toEqual([]);
  });

  it('waits after any other failure, even one that follows a refusal', () => {
    connection().closes(4503, 'rebalancing');
    connection().closes(1006, '');
    expect(open()).toBe(0);
    vi.advanceTimersByTime(500);
    expect([open(), connection().options.triesLeft]).toEqual([1, 3]);
  });

  it('waits for at most a minute, whatever a relay sets', () => {
    connection().closes(1012, '99999999999');
    vi.advanceTimersByTime(59_999);
    expect(open()).toBe(0);
    vi.advanceTimersByTime(1);
    expect(open()).toBe(1);
  });

  it('reconnects at once when the browser wakes up, and pings an open connection', () => {
    connection().closes(1006, '');
    connector.wake();
    expect(open()).toBe(1);
    subscribed(7);
    connector.wake();
    expect(connection().requests).toEqual(['ping']);
  });

  it.each([
    [1008, ''],
    [1009, ''],
    [1013, ''],
    [4429, ''],
    [1013, '0'],
  ])('waits longer after close code %d, whatever its reason is (%j)', (code, reason) => {
    connection().closes(code, reason);
    vi.advanceTimersByTime(3999);
    expect(open()).toBe(0);
    vi.advanceTimersByTime(1);
    expect(open()).toBe(1);
  });

  it.each([
    [4401, 'unauthorized'],
    [4403, 'topic_forbidden'],
  ])('does not reconnect after close code %d, and reports an error', (code, error) => {
    connection().closes(code, '');
    expect(messages).toEqual([{ type: 'error', code: error }]);
    vi.advanceTimersByTime(3_600_000);
    connector.wake();
    expect(open()).toBe(0);
    expect(statuses.at(-1)).toBe('offline');
  });

  it('reports one error if the relay has sent its own before it closes for good', () => {
    connection().delivers({ type: 'error', code: 'origin_forbidden' });
    connection().closes(4403, '');
    expect(messages).toEqual([{ type: 'error', code: 'origin_forbidden' }]);
  });

  it('ignores messages of an ended connection, and leaves no timer for it', () => {
    const given = connection();
    given.closes(4401, '');
    messages.length = 0;
    given.delivers({ type: 'subscribed', topics: { chat: 7 } });
    expect([messages, statuses.at(-1), vi.getTimerCount()]).toEqual([[], 'offline', 0]);
  });

  it('opens no second connection for a topic while it waits, and one after it was refused for good', () => {
    connection().closes(1006, '');
    connector.subscribe(new Map([['news', null]]));
    expect(open()).toBe(0);
    vi.advanceTimersByTime(500);
    connection().closes(4403, '');
    connector.subscribe(new Map([['news', null]]));
    expect(open()).toBe(1);
  });

  it('is offline after the handler of a message has closed it', () => {
    connector.close();
    const statuses: Status[] = [];
    const closing: Source = createConnector({
      url: 'http://relay',
      topics,
      open: connections.opener(),
      message: () => closing.close(),
      status: (status) => statuses.push(status),
    });
    closing.connect();
    subscribed(7);
    expect(statuses).toEqual(['connecting', 'offline']);
  });

  it('accepts that a topic is unsubscribed from while it is offline', () => {
    connection().closes(1006, '');
    connector.unsubscribe(['chat']);
    vi.advanceTimersByTime(500);
    expect([open(), connection().requests]).toEqual([1, []]);
  });

  it('pings when the network is back, until it is closed', () => {
    connector.close();
    const browser = new EventTarget();
    vi.stubGlobal('addEventListener', browser.addEventListener.bind(browser));
    const statuses: Status[] = [];
    const deps = { url: 'http://relay', topics, open: connections.opener(), message() {} };
    const online = createConnector({ ...deps, status: (status) => statuses.push(status) });
    online.connect();
    browser.dispatchEvent(new Event('online'));
    expect(connection().requests).toEqual(['ping']);
    connection().closes(1006, '');
    browser.dispatchEvent(new Event('online'));
    expect(statuses.at(-1)).toBe('connecting');
    connection().closes(1006, '');
    online.close();
    expect(getEventListeners(browser, 'online')).toEqual([]);
    const count = connections.all.length;
    browser.dispatchEvent(new Event('online'));
    vi.advanceTimersByTime(60_000);
    expect([connections.all.length - count, statuses.at(-1)]).toEqual([0, 'offline']);
    vi.unstubAllGlobals();
  });

  it('pings when its tab is shown, not when it is hidden', () => {
    const page = Object.assign(new EventTarget(), { hidden: true });
    vi.stubGlobal('document', page);
    const shown = createConnector({
      url: 'http://relay',
      topics,
      open: connections.opener(),
      message() {},
      status() {},
    });
    shown.connect();
    subscribed(7);
    page.dispatchEvent(new Event('visibilitychange'));
    expect(connection().requests).toEqual([]);
    page.hidden = false;
    page.dispatchEvent(new Event('visibilitychange'));
    expect(connection().requests).toEqual(['ping']);
    shown.close();
    expect(getEventListeners(page, 'visibilitychange')).toEqual([]);
    vi.unstubAllGlobals();
  });

  it('stays offline after it was closed', () => {
    connector.close();
    connector.wake();
    connector.connect();
    vi.advanceTimersByTime(3_600_000);
    expect(open()).toBe(0);
    expect(statuses.at(-1)).toBe('offline');
  });
});
