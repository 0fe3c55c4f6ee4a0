import { act, createElement, type ReactNode, StrictMode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeliographProvider, useHeliograph, useStatus, useTopic } from '../../../../services/client/adapters/react.ts';
import type { Fetcher, FetchReason, Heliograph, Status } from '../../../../services/client/heliograph-client.ts';

type Load = (reason: FetchReason, heliograph: Heliograph) => string | Promise<string>;

/** A watch that a component began. */
interface Watched {
  readonly topic: string;
  readonly reason: FetchReason;
  readonly isEnded: boolean;
  run(): Promise<unknown>;
}

/** A client that records its watches, and whose status the test sets. */
function createClient() {
  const watches: Watched[] = [];
  const handlers = new Set<() => void>();
  const client = {
    status: 'connecting' as Status,
    close: vi.fn(),
    on(event: string, handler: () => void) {
      expect(event).toBe('status');
      handlers.add(handler);
      return () => void handlers.delete(handler);
    },
    watch(topic: string, fetcher: Fetcher) {
      const ending = new AbortController();
      const reason: FetchReason = { signal: ending.signal, update: undefined };
      watches.push({
        topic,
        reason,
        get isEnded() {
          return ending.signal.aborted;
        },
        run: async () => fetcher(reason),
      });
      return () => ending.abort();
    },
  };
  const setStatus = (status: Status) => {
    client.status = status;
    for (const handler of handlers) handler();
  };
  return { heliograph: client as unknown as Heliograph, watches, handlers, setStatus, close: client.close };
}

describe('the adapter for React', () => {
  let client: ReturnType<typeof createClient>;
  let connect: () => Heliograph;
  let root: Root;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
    // What React reads of a page, for components that render nothing. The browser tests have a real one.
    vi.stubGlobal('window', { HTMLIFrameElement: class {} });
    const ownerDocument = { nodeType: 9, addEventListener() {} };
    const element = { nodeType: 1, nodeName: 'MAIN', tagName: 'MAIN', ownerDocument, addEventListener() {} };
    root = createRoot(element as unknown as Element);
    client = createClient();
    connect = vi.fn(() => client.heliograph);
  });
  afterEach(async () => {
    await act(async () => root.unmount());
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  const renders = (node: ReactNode) => act(async () => root.render(node));
  const passes = () => act(() => vi.advanceTimersByTimeAsync(0));
  const runs = (watched = client.watches.at(-1)) => act(async () => void (await watched?.run()));
  const inProvider = (node: ReactNode) => createElement(HeliographProvider, { connect }, node);

  describe('provides a client', () => {
    const seen: unknown[] = [];
    const Page = () => void seen.push(useHeliograph());
    const page = (create: () => Heliograph) =>
      createElement(StrictMode, null, createElement(HeliographProvider, { connect: create }, createElement(Page)));
    beforeEach(() => {
      seen.length = 0;
    });

    it('that it creates once the page is shown, once in strict mode too, and closes when it is removed', async () => {
      await renders(page(connect));
      expect(connect).not.toHaveBeenCalled();
      expect(seen).not.toContainEqual(expect.anything());
      await passes();
      await renders(page(() => createClient().heliograph));
      await passes();
      expect(seen.at(-1)).toBe(client.heliograph);
      expect(connect).toHaveBeenCalledTimes(1);
      expect(client.close).not.toHaveBeenCalled();
      await renders(null);
      expect(client.close).toHaveBeenCalledTimes(1);
    });

    it('and creates none if it is removed at once', async () => {
      await renders(page(connect));
      await renders(null);
      await passes();
      expect(connect).not.toHaveBeenCalled();
    });
  });

  describe('shows a topic', () => {
    let content: string | undefined;
    const Comments = (props: { topic: string | undefined; load: Load; deps?: readonly unknown[] }) => {
      content = useTopic(props.topic, props.load, props.deps);
      return null;
    };
    const shows = (topic: string | undefined, load: Load, deps?: readonly unknown[]) =>
      renders(inProvider(createElement(Comments, deps ? { topic, load, deps } : { topic, load })));

    it('as it was loaded last, by the function of the last render', async () => {
      const load = vi.fn(() => 'one');
      await shows('chat', load);
      await passes();
      expect([content, client.watches.map(({ topic }) => topic)]).toEqual([undefined, ['chat']]);
      await runs();
      expect(content).toBe('one');
      expect(load).toHaveBeenCalledExactlyOnceWith(client.watches[0]?.reason, client.heliograph);
      await shows('chat', async () => 'two');
      expect(content).toBe('one');
      await runs();
      expect([content, client.watches.length]).toEqual(['two', 1]);
    });

    it('from the start if the topic or what its content depends on changes, and ends the watch before', async () => {
      await shows('chat', () => 'one', [0]);
      await passes();
      await runs();
      await shows('chat', () => 'later', [1]);
      expect(content).toBeUndefined();
      await runs();
      expect(content).toBe('later');
      await shows('news', () => 'news', [1]);
      expect(content).toBeUndefined();
      await runs();
      expect(content).toBe('news');
      await shows(undefined, () => 'never loaded', [1]);
      expect(content).toBeUndefined();
      expect(client.watches.map(({ topic, isEnded }) => [topic, isEnded])).toEqual([
        ['chat', true],
        ['chat', true],
        ['news', true],
      ]);
    });

    it('and never again the content of an ended watch, which is loaded later', async () => {
      let respond = (_: string) => {};
      const load = () => new Promise<string>((resolve) => (respond = resolve));
      await shows('chat', load);
      await passes();
      const earlier = client.watches[0]?.run();
      await shows('news', () => 'news');
      await runs();
      await act(async () => {
        respond('chat');
        await earlier;
      });
      expect(content).toBe('news');
    });

    it('and lets its watch repeat what failed', async () => {
      await shows('chat', () => Promise.reject(new Error('away')));
      await passes();
      await expect(client.watches[0]?.run()).rejects.toThrow('away');
    });
  });

  it('shows the status of the client, until it is removed', async () => {
    let status: Status | undefined;
    const Line = () => {
      status = useStatus();
      return null;
    };
    await renders(inProvider(createElement(Line)));
    expect(status).toBe('connecting');
    client.setStatus('stale');
    await passes();
    expect(status).toBe('stale');
    await act(async () => client.setStatus('live'));
    expect([status, client.handlers.size]).toEqual(['live', 1]);
    await renders(null);
    expect(client.handlers.size).toBe(0);
  });

  it('renders on the server without a connection', () => {
    const Comments = () => `${useTopic('chat', () => 'never loaded') ?? 'loading'} (${useStatus()})`;
    expect(renderToString(inProvider(createElement(Comments)))).toBe('loading (connecting)');
    expect(connect).not.toHaveBeenCalled();
  });
});
