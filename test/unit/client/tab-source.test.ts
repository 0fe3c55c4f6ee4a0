import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { recordVersions } from '../../../services/client/known-versions.ts';
import { createTabSource } from '../../../services/client/tab-source.ts';
import type { Source, Status } from '../../../services/client/transport.ts';
import type { ServerMessage } from '../../../services/shared/protocol/server-message.ts';
import { FakeBrowser } from '../../support/fake-browser.ts';
import { FakeConnections } from '../../support/fake-connection.ts';

/** The messages and statuses that one tab received. */
interface Tab {
  readonly source: Source;
  readonly topics: Map<string, number | null>;
  readonly messages: ServerMessage[];
  readonly statuses: Status[];
}

const shown = (persisted: boolean) => Object.assign(new Event('pageshow'), { persisted });

describe('tabs that share a connection', () => {
  let browser: FakeBrowser;
  let connections: FakeConnections;
  let randoms = 0;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockImplementation(() => ++randoms / 1e6);
    browser = new FakeBrowser();
    connections = new FakeConnections();
    connections.answer = true;
    vi.stubGlobal('navigator', { locks: browser.locks });
    vi.stubGlobal('BroadcastChannel', browser.BroadcastChannel);
    vi.stubGlobal('document', browser.document);
    vi.stubGlobal('addEventListener', browser.window.addEventListener.bind(browser.window));
  });
  afterEach(() => {
    expect(browser.errors).toEqual([]);
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const passes = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

  async function open(known: Record<string, number | null>): Promise<Tab> {
    const topics = new Map(Object.entries(known));
    const messages: ServerMessage[] = [];
    const statuses: Status[] = [];
    const source = createTabSource({
      name: 'relay',
      url: 'http://relay',
      topics,
      open: connections.opener(),
      message(message) {
        recordVersions(topics, message);
        messages.push(message);
      },
      status: (status) => statuses.push(status),
    });
    source.connect();
    await passes();
    return { source, topics, messages, statuses };
  }

  const updates = (tab: Tab) => tab.messages.filter(({ type }) => type === 'update');
  async function says(message: ServerMessage): Promise<void> {
    connections.last.delivers(message);
    await passes();
  }

  it('hold one connection between them, and mirror its status', async () => {
    const a = await open({ x: null });
    const b = await open({ y: null });
    expect(connections.open).toBe(1);
    expect(connections.last.requests).toContain('subscribe y');
    await says({ type: 'subscribed', topics: { x: 1, y: 2 } });
    expect([a.statuses.at(-1), b.statuses.at(-1)]).toEqual(['live', 'live']);
    expect([a.topics, b.topics]).toEqual([new Map([['x', 1]]), new Map([['y', 2]])]);
    const { length } = b.statuses;
    await says({ type: 'freshness', fresh: false });
    await says({ type: 'freshness', fresh: false });
    expect([a.statuses.at(-1), b.statuses.slice(length)]).toEqual(['stale', ['stale']]);
  });

  it('receive the updates that each of them lacks, and none twice', async () => {
    const a = await open({ x: 9 });
    await says({ type: 'subscribed', topics: { x: 9 } });
    const b = await open({ x: 7 });
    expect(connections.last.options.topics.get('x')).toBe(7);
    await says({ type: 'subscribed', topics: { x: 9 } });
    await says({ type: 'update', topic: 'x', version: 9 });
    expect(updates(a)).toEqual([]);
    expect(updates(b)).toHaveLength(1);
    expect(connections.last.options.topics.get('x')).toBe(9);
  });

  it('learn a version that another tab subscribed to first', async () => {
    await open({ x: null });
    await says({ type: 'subscribed', topics: { x: 9 } });
    const b = await open({ x: null });
    expect(connections.last.requests).toContain('subscribe x');
    expect(connections.last.options.topics.get('x')).toBe(9);
    await says({ type: 'subscribed', topics: { x: 9 } });
    expect(b.topics.get('x')).toBe(9);
  });

  it('learn the status from the leader, which connects for a tab without topics as well', async () => {
    await open({});
    expect(connections.open).toBe(1);
    await says({ type: 'pong' });
    const b = await open({});
    expect(b.statuses).toEqual(['connecting', 'live']);
    new browser.BroadcastChannel('relay').postMessage({ leads: true }); // of another leader, for a moment
    await passes();
    expect(connections.open).toBe(1);
  });

  it('unsubscribe when the last tab does', async () => {
    const a = await open({ x: 1, y: 1 });
    const b = await open({ x: 1 });
    a.topics.delete('x');
    a.source.unsubscribe(['x']);
    await passes();
    expect(connections.last.requests).not.toContain('unsubscribe x');
    b.source.close();
    await passes();
    expect(connections.last.requests.at(-1)).toBe('unsubscribe x');
    a.topics.set('z', 5);
    a.source.subscribe(new Map([['z', 5]]));
    await passes();
    expect(connections.last.requests.at(-1)).toBe('subscribe z');
    expect([...connections.last.options.topics.keys()]).toEqual(['y', 'z']);
  });

  it('go on over another leader when theirs is closed, each from its own versions', async () => {
    const a = await open({ x: 1 });
    const b = await open({ x: 1, y: 4 });
    await says({ type: 'subscribed', topics: { x: 1, y: 4 } });
    await says({ type: 'update', topic: 'x', version: 2 });
    a.source.close();
    await passes();
    expect(connections.all).toHaveLength(2);
    expect(connections.open).toBe(1);
    expect(connections.last.options.topics).toEqual(
      new Map([
        ['x', 2],
        ['y', 4],
      ]),
    );
    await says({ type: 'subscribed', topics: { x: 2, y: 4 } });
    expect(b.statuses.at(-1)).toBe('live');
    expect(a.statuses.at(-1)).toBe('offline');
  });

  it('replace a leader that does not respond, and end with one connection', async () => {
    const tabs = [await open({ x: 1 })];
    await says({ type: 'subscribed', topics: { x: 1 } });
    browser.muting()();
    tabs.push(await open({ x: 1 }));
    await passes(9999);
    expect(connections.all).toHaveLength(1);
    await passes(1);
    expect(connections.all.length).toBeGreaterThan(1);
    expect(connections.open).toBe(1);
    await says({ type: 'subscribed', topics: { x: 1 } });
    expect(tabs.map(({ statuses }) => statuses.at(-1))).toEqual(['live', 'live']);
    await passes(40_000);
    expect(connections.open).toBe(1);
    tabs[1]?.source.close();
    await passes();
    expect([connections.open, tabs[0]?.statuses.at(-1)]).toEqual([1, 'connecting']); // it leads again
  });

  it('notice a silent leader by themselves, whatever they send each other', async () => {
    await open({ x: 1 });
    const mute = browser.muting();
    await open({ x: 1 });
    await says({ type: 'subscribed', topics: { x: 1 } });
    mute();
    await passes(45_000 + 9999);
    expect(connections.all).toHaveLength(1);
    await passes(1);
    expect(connections.all).toHaveLength(2);
    expect(connections.open).toBe(1);
  });

  it('do not replace a silent leader while they are hidden', async () => {
    await open({ x: 1 });
    browser.muting()();
    browser.document.hidden = true;
    const request = vi.spyOn(browser.locks, 'request');
    await passes(120_000);
    expect(request).not.toHaveBeenCalled();
    browser.document.hidden = false;
    browser.document.dispatchEvent(new Event('visibilitychange'));
    await passes(10_000);
    expect(request).toHaveBeenCalled();
  });

  it('hold a connection each if the browser denies locks, and do not request them again', async () => {
    const request = vi.fn(() => Promise.reject(new DOMException('not in this page', 'SecurityError')));
    vi.stubGlobal('navigator', { locks: { request } });
    const a = await open({ x: null });
    await says({ type: 'subscribed', topics: { x: 1 } });
    expect(a.statuses.at(-1)).toBe('live');
    expect(request).toHaveBeenCalledTimes(1);
    a.source.close();
    await passes();
    expect([connections.open, request.mock.calls.length]).toEqual([0, 1]);
  });

  it('do nothing once they are closed', async () => {
    const a = await open({ x: 1 });
    a.source.close();
    a.source.subscribe(new Map([['y', null]]));
    a.source.unsubscribe(['x']);
    a.source.close();
    await passes(120_000);
    expect([connections.open, connections.all.length, vi.getTimerCount()]).toEqual([0, 1, 0]);
    const listeners = [
      ...['online', 'pagehide', 'pageshow'].map((type) => getEventListeners(browser.window, type)),
      ...['freeze', 'resume', 'visibilitychange'].map((type) => getEventListeners(browser.document, type)),
    ];
    expect(listeners.flat()).toEqual([]);
  });

  it('open nothing if they are closed before they lead', async () => {
    const source = createTabSource({
      name: 'relay',
      url: 'http://relay',
      topics: new Map([['x', 1]]),
      open: connections.opener(),
      message() {},
      status() {},
    });
    source.connect();
    source.close();
    await passes(120_000);
    expect([connections.all.length, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it.each([
    ['frozen', 'document', new Event('freeze'), new Event('resume')],
    ['left and come back to', 'window', new Event('pagehide'), shown(true)],
  ] as const)(
    'give up the connection when they are %s, and continue from their versions',
    async (_, where, ends, begins) => {
      const a = await open({ x: 1 });
      await says({ type: 'subscribed', topics: { x: 1 } });
      browser[where].dispatchEvent(ends);
      await passes(120_000);
      expect([connections.open, connections.all.length]).toEqual([0, 1]);
      browser[where].dispatchEvent(begins);
      await passes();
      expect([connections.open, connections.all.length]).toEqual([1, 2]);
      expect(connections.last.options.topics).toEqual(new Map([['x', 1]]));
      await says({ type: 'subscribed', topics: { x: 2 } });
      await says({ type: 'update', topic: 'x', version: 2 });
      expect(updates(a)).toHaveLength(1);
      expect(a.statuses.at(-1)).toBe('live');
    },
  );

  it('keep their connection when they are shown for the first time', async () => {
    await open({ x: 1 });
    browser.window.dispatchEvent(shown(false));
    await passes();
    expect([connections.open, connections.all.length]).toEqual([1, 1]);
  });

  it('ping the relay over the leader when another tab is shown or online again, not when it is hidden', async () => {
    await open({ x: 1 });
    const { document, window } = new FakeBrowser();
    vi.stubGlobal('document', document);
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
    await open({ x: 1 });
    await says({ type: 'subscribed', topics: { x: 1 } });
    const { length } = connections.last.requests;
    document.dispatchEvent(new Event('visibilitychange'));
    await passes();
    expect(connections.last.requests.slice(length)).toEqual(['ping']);
    window.dispatchEvent(new Event('online'));
    await passes();
    document.hidden = true;
    document.dispatchEvent(new Event('visibilitychange'));
    await passes();
    expect(connections.last.requests.slice(length)).toEqual(['ping', 'ping']);
  });

  it('subscribe again from an older version', async () => {
    const a = await open({ x: 9 });
    await says({ type: 'subscribed', topics: { x: 9 } });
    a.source.subscribe(new Map([['x', 7]]));
    await passes();
    expect(connections.last.requests.at(-1)).toBe('subscribe x');
    expect(connections.last.options.topics).toEqual(new Map([['x', 7]]));
  });

  it('do not ping the leader when they are hidden', async () => {
    await open({ x: 1 });
    await says({ type: 'subscribed', topics: { x: 1 } });
    browser.document.hidden = true;
    browser.document.dispatchEvent(new Event('visibilitychange'));
    await passes();
    expect(connections.last.requests.filter((request) => request === 'ping')).toEqual([]);
  });

  it('ping the leader when they are shown', async () => {
    await open({ x: 1 });
    await open({ x: 1 });
    await says({ type: 'subscribed', topics: { x: 1 } });
    await passes(20_000);
    const { length } = connections.last.requests;
    browser.document.dispatchEvent(new Event('visibilitychange'));
    await passes();
    expect(new Set(connections.last.requests.slice(length))).toEqual(new Set(['ping']));
    await passes(10_000);
    expect(connections.all).toHaveLength(1);
  });
});
