import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refreshOnUpdate } from '../../../../services/client/adapters/turbo.ts';
import { Heliograph } from '../../../../services/client/heliograph-client.ts';
import { createFakeWebSockets, type FakeWebSocket } from '../../../support/fake-web-socket.ts';

const HREF = 'https://app.example/page';

/** A fetch of the page to which the test responds. */
interface PageFetch {
  readonly url: string;
  readonly init: RequestInit;
  respond(html?: string, response?: { status?: number; redirectedTo?: string }): Promise<void>;
}

describe('the adapter for Turbo', () => {
  let sockets: FakeWebSocket[];
  let heliograph: Heliograph;
  let stop: () => void;
  let fetches: PageFetch[];
  let visits: unknown[];
  let errors: unknown[];
  let meta: string | undefined;
  let events: EventTarget;

  beforeEach(() => {
    vi.useFakeTimers();
    [fetches, visits, errors] = [[], [], []];
    events = new EventTarget();
    vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
    const querySelector = (selector: string) =>
      selector === 'meta[name="heliograph-version"]' && meta !== undefined ? { content: meta } : null;
    vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: false, querySelector }));
    vi.stubGlobal('location', { href: HREF });
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      return new Promise<Response>((resolve, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        const respond: PageFetch['respond'] = async (html = '', { status = 200, redirectedTo } = {}) => {
          const isRedirected = redirectedTo !== undefined;
          const response = new Response(html, { status });
          Object.defineProperties(response, {
            redirected: { value: isRedirected },
            url: { value: redirectedTo ?? url },
          });
          resolve(response);
          await passes();
        };
        fetches.push({ url, init, respond });
      });
    });
  });
  afterEach(() => {
    stop();
    heliograph.close();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const passes = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
  const socket = () => sockets.at(-1) as FakeWebSocket;
  const requests = () => socket().sent.filter(({ type }) => type.endsWith('subscribe'));
  const happens = async (name: string, detail: object = {}) => {
    events.dispatchEvent(Object.assign(new Event(`turbo:${name}`), { detail }));
    await passes();
  };
  const loads = (content: string | undefined) => {
    meta = content;
    return happens('load');
  };
  const updated = async (topic: string, version: number) => {
    socket().receives({ type: 'update', topic, version });
    await passes(1);
  };
  const writes = (versions: string) => {
    const response = new Response('', { headers: { 'Heliograph-Version': versions } });
    return happens('before-fetch-response', { fetchResponse: { response } });
  };
  const submitted = (isRedirected: boolean) =>
    happens('submit-end', { fetchResponse: { response: { redirected: isRedirected } } });

  /** Shows a page with this content of the element that names its topics. */
  async function start(content: string | undefined): Promise<void> {
    const fake = createFakeWebSockets();
    sockets = fake.sockets;
    heliograph = new Heliograph('https://relay', { WebSocket: fake.WebSocket, transports: ['websocket'] });
    heliograph.on('error', (error) => errors.push(error));
    socket().opens();
    socket().receives({ type: 'pong' });
    meta = content;
    const turbo = {
      visit(location: string, options: object) {
        visits.push([location, options]);
        events.dispatchEvent(new Event('turbo:visit'));
      },
    };
    stop = refreshOnUpdate({ heliograph, turbo });
    await passes();
  }

  const page = (versions: string) => [
    HREF,
    { action: 'replace', response: { statusCode: 200, redirected: false, responseHTML: versions } },
  ];

  it('subscribes to the topics that the page names, each from the version that it shows', async () => {
    await start(' chat=5,, news/1=7 ,other');
    expect(requests().map(({ topics }) => topics)).toEqual([{ chat: 5 }, { 'news/1': 7 }, { other: null }]);
  });

  it.each([undefined, '', ' '])('does nothing for a page that names no topic: %j', async (content) => {
    await start(content);
    await passes(20_000);
    expect([requests(), fetches]).toEqual([[], []]);
  });

  it('fetches the page after an update, and has Turbo render it in place', async () => {
    await start('chat=5');
    await updated('chat', 6);
    expect(fetches.map(({ url, init: { cache, headers } }) => [url, cache, headers])).toEqual([
      [HREF, 'no-cache', { accept: 'text/html' }],
    ]);
    await fetches[0]?.respond('six');
    expect(visits).toEqual([page('six')]);
    await loads('chat=6');
    await passes(20_000);
    expect([fetches.length, errors]).toEqual([1, []]);
  });

  it('shows the page to which it was redirected', async () => {
    await start('chat=5');
    await updated('chat', 6);
    await fetches[0]?.respond('in', { redirectedTo: 'https://app.example/login' });
    const response = { statusCode: 200, redirected: true, responseHTML: 'in' };
    expect(visits).toEqual([['https://app.example/login', { action: 'replace', response }]]);
  });

  it('fetches once more for a topic without a version, and no more once the page has one', async () => {
    await start('chat');
    socket().receives({ type: 'subscribed', topics: { chat: 5 } });
    await passes();
    await fetches[0]?.respond();
    await loads('chat=5');
    await updated('chat', 5);
    await passes(20_000);
    expect(fetches).toHaveLength(1);
  });

  it('fetches once for the updates of several topics that arrive while it waits, and again for a later one', async () => {
    await start('chat=5, news=7');
    await happens('submit-start');
    await updated('chat', 6);
    await updated('news', 8);
    await submitted(false);
    expect(fetches).toHaveLength(1);
    await fetches[0]?.respond();
    await updated('news', 9);
    await loads('chat=6, news=8');
    expect(fetches).toHaveLength(2);
    await fetches[1]?.respond();
    await loads('chat=6, news=9');
    await passes(20_000);
    expect([fetches.length, errors]).toEqual([2, []]);
  });

  it('counts a refresh for every topic that waited for it, also if the page does not name all of them any more', async () => {
    await start('chat=5, news=7');
    await happens('submit-start');
    await updated('chat', 6);
    await updated('news', 8);
    await submitted(false);
    await fetches[0]?.respond();
    await loads('news=8');
    await passes(20_000);
    expect([fetches.length, errors]).toEqual([1, []]);
  });

  it('reports a page that cannot be fetched, does not show it, and fetches it again', async () => {
    await start('chat=5');
    await updated('chat', 6);
    await fetches[0]?.respond('broken', { status: 500 });
    const error = new Error(`${HREF} responds with 500`);
    expect([visits, errors]).toEqual([[], [{ topic: 'chat', code: 'fetch_failed', error }]]);
    await passes(1000);
    await fetches[1]?.respond('six');
    await loads('chat=6');
    await passes(20_000);
    expect([fetches.length, visits]).toEqual([2, [page('six')]]);
  });

  it('fetches again, without another subscription, while the page is older than the update', async () => {
    await start('chat=5, news=1');
    await updated('chat', 6);
    await fetches[0]?.respond();
    await loads('chat=5, news=1');
    expect(errors).toEqual([{ topic: 'chat', code: 'content_behind', version: 5, expected: 6 }]);
    await passes(1000);
    await fetches[1]?.respond();
    await loads('chat=6, news=1');
    await passes(20_000);
    expect([fetches.length, errors.length, requests().length]).toEqual([2, 1, 2]);
  });

  it('notices that a page is older than the update although the page names no version of another topic', async () => {
    await start('news, chat=5');
    socket().receives({ type: 'subscribed', topics: { news: 3 } });
    await passes();
    await fetches[0]?.respond();
    await loads('news, chat=5');
    await updated('chat', 6);
    await fetches[1]?.respond();
    await loads('news, chat=5');
    expect(errors).toEqual([{ topic: 'chat', code: 'content_behind', version: 5, expected: 6 }]);
    await passes(1000);
    await fetches[2]?.respond();
    await loads('news, chat=6, other=1');
    expect(requests().at(-1)).toEqual({ type: 'subscribe', topics: { other: 1 } });
    await passes(20_000);
    expect([fetches.length, errors.length]).toEqual([3, 1]);
  });

  it('notices without a connection that a page is older than the one before, which was fetched for another topic', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    await start('chat=5, news=7');
    await updated('chat', 6);
    await fetches[0]?.respond();
    await loads('chat=6, news=8');
    socket().closes(1012);
    await passes(22_500);
    for (const [fetch, content] of [
      [fetches[1], 'chat=6, news=8'],
      [fetches[2], 'chat=6, news=7'],
    ] as const) {
      await fetch?.respond();
      await loads(content);
    }
    expect(errors).toEqual([{ topic: 'news', code: 'content_behind', version: 7, expected: 8 }]);
  });

  it('reports a refresh that Turbo does not end within 30 s, and fetches again once it has', async () => {
    await start('chat=5');
    await updated('chat', 6);
    await fetches[0]?.respond();
    await passes(29_998);
    expect(errors).toEqual([]);
    await passes(1);
    expect(errors).toMatchObject([{ code: 'fetch_failed' }]);
    await passes(1000);
    expect(fetches).toHaveLength(1);
    await loads('chat=5');
    expect(fetches).toHaveLength(2);
  });

  it.each(['visit', 'submit-start'])('waits while another page or a response may come (%s)', async (name) => {
    await start('chat=5');
    await happens(name);
    await updated('chat', 6);
    await passes(20_000);
    expect(fetches).toEqual([]);
    await loads('chat=5');
    expect(fetches).toEqual([]);
    await updated('chat', 6);
    expect(fetches).toHaveLength(1);
  });

  it('renders no page that it fetched before a visit, and watches the topics of the visited one only', async () => {
    await start('chat=5, news=7');
    await updated('chat', 6);
    await happens('visit');
    await fetches[0]?.respond('of the page before');
    expect(visits).toEqual([]);
    await loads('chat=6, other=1');
    expect([visits, fetches[0]?.init.signal?.aborted]).toEqual([[], true]);
    expect(requests().slice(2)).toEqual([
      { type: 'unsubscribe', topics: ['chat'] },
      { type: 'unsubscribe', topics: ['news'] },
      { type: 'subscribe', topics: { chat: 6 } },
      { type: 'subscribe', topics: { other: 1 } },
    ]);
    await updated('news', 8);
    expect(fetches).toHaveLength(1);
    await updated('other', 2);
    expect(fetches).toHaveLength(2);
  });

  it('watches the topics of a refreshed page, and those before no more', async () => {
    await start('chat=5, news=7');
    await updated('chat', 6);
    await fetches[0]?.respond();
    await loads('chat=6, other=1');
    expect(requests().slice(2)).toEqual([
      { type: 'unsubscribe', topics: ['news'] },
      { type: 'subscribe', topics: { other: 1 } },
    ]);
  });

  describe('in a page that writes', () => {
    beforeEach(() => start('chat=5'));

    it('does not fetch what the response to a form has named, and the next update', async () => {
      await happens('submit-start');
      await updated('chat', 6);
      await writes('other=2;previous=1, chat=6;previous=5');
      await submitted(false);
      await passes(20_000);
      expect(fetches).toEqual([]);
      await updated('chat', 7);
      expect(fetches).toHaveLength(1);
    });

    it('fetches what was published before its write, or if nothing says what came before', async () => {
      await happens('submit-start');
      await writes('chat=7;previous=6');
      await submitted(false);
      await updated('chat', 7);
      expect(fetches).toHaveLength(1);
      await fetches[0]?.respond();
      await loads('chat=7');
      await writes('chat=8');
      await updated('chat', 8);
      expect(fetches).toHaveLength(2);
    });

    it('does not take an older write for the version that the page shows', async () => {
      await writes('chat=7;previous=5');
      await writes('chat=6;previous=5');
      await updated('chat', 7);
      await happens('submit-start');
      await updated('chat', 9);
      await writes('chat=9;previous=7');
      await writes('chat=8;previous=7');
      await submitted(false);
      expect(fetches).toEqual([]);
    });

    it('waits for the page to which a form redirects, but for 2 s only if that does not come', async () => {
      await happens('submit-start');
      await updated('chat', 6);
      await submitted(true);
      await passes(1999);
      expect(fetches).toEqual([]);
      await passes(1);
      expect(fetches).toHaveLength(1);
    });

    it('waits no longer once that page is loaded in a frame, or the submission has failed', async () => {
      await happens('submit-start');
      await updated('chat', 6);
      await submitted(true);
      await happens('frame-load');
      expect(fetches).toHaveLength(1);
      await fetches[0]?.respond();
      await loads('chat=6');
      await happens('submit-start');
      await updated('chat', 7);
      await happens('submit-end');
      expect(fetches).toHaveLength(2);
    });

    it('waits for each of several submissions that follow one another', async () => {
      await happens('submit-start');
      await updated('chat', 6);
      events.dispatchEvent(Object.assign(new Event('turbo:submit-end'), { detail: {} }));
      await happens('submit-start');
      expect(fetches).toEqual([]);
      await submitted(false);
      expect(fetches).toHaveLength(1);
    });

    it('does not render a page that it fetched before a submission until that has ended', async () => {
      await updated('chat', 6);
      await happens('submit-start');
      await fetches[0]?.respond('six');
      expect(visits).toEqual([]);
      await submitted(false);
      expect(visits).toEqual([page('six')]);
    });

    it('takes no response for a write that has no versions, as of another server', async () => {
      await happens('before-fetch-response', { fetchResponse: { response: new Response('') } });
      await happens('before-fetch-response');
      await updated('chat', 6);
      expect(fetches).toHaveLength(1);
    });
  });

  it('fetches later updates although a visit began at the moment at which it would have fetched one', async () => {
    await start('chat=5');
    for (let version = 6, turns = 0; turns < 10; version += 2, turns += 1) {
      socket().receives({ type: 'update', topic: 'chat', version });
      vi.advanceTimersByTime(1);
      for (let i = 0; i < turns; i += 1) await Promise.resolve();
      await happens('visit');
      await loads(`chat=${version}`);
      const { length } = fetches;
      await updated('chat', version + 1);
      expect(fetches).toHaveLength(length + 1);
      await fetches.at(-1)?.respond();
      await loads(`chat=${version + 1}`);
    }
    expect(errors).toEqual([]);
  });

  it('ends its watches and does nothing any more when it is stopped', async () => {
    await start('chat=5, news=7');
    await updated('chat', 6);
    stop();
    expect(fetches[0]?.init.signal?.aborted).toBe(true);
    await loads('other=1');
    await writes('chat=6;previous=5');
    expect(requests().slice(2)).toEqual([
      { type: 'unsubscribe', topics: ['chat'] },
      { type: 'unsubscribe', topics: ['news'] },
    ]);
    expect(errors).toEqual([]);
  });
});
