import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createConnector } from '../../../services/client/connector.ts';
import { openWithToken, type TokenOption } from '../../../services/client/token-connection.ts';
import type { Source, Status } from '../../../services/client/transport.ts';
import { FakeConnections } from '../../support/fake-connection.ts';

const START_MS = Date.UTC(2030, 0, 1);

/** Returns a JWT with this lifetime and an arbitrary signature. */
function tokenFor(lifeMs: number, name = 'Jürgen'): string {
  const payload = { sub: name, exp: (Date.now() + lifeMs) / 1000 };
  return `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.c2ln`;
}

describe('a connection with a token', () => {
  let connections: FakeConnections;
  let source: Source | undefined;
  const statuses: Status[] = [];
  const errors: string[] = [];

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS });
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    connections = new FakeConnections();
    statuses.length = errors.length = 0;
  });
  afterEach(() => {
    source?.close();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  async function start(token: TokenOption | undefined): Promise<void> {
    source = createConnector({
      url: 'http://relay',
      topics: new Map([['chat', null]]),
      open: openWithToken(token, connections.opener()),
      message(message) {
        if (message.type === 'error') errors.push(message.code);
      },
      status: (status) => statuses.push(status),
    });
    source.connect();
    await passes(0);
  }

  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const works = () => connections.last.delivers({ type: 'subscribed', topics: { chat: 1 } });
  const refuse = () => {
    connections.last.delivers({ type: 'error', code: 'unauthorized' });
    if (!connections.last.isClosed) connections.last.closes(4401);
  };

  it.each<TokenOption | undefined>([undefined, null, '', () => undefined, () => null, () => '', async () => null])(
    'connects without a token for %s',
    async (token) => {
      await start(token);
      expect(connections.last.options.token).toBeUndefined();
      works();
      expect(statuses.at(-1)).toBe('live');
    },
  );

  it('sends a fixed token, and stops if it is rejected', async () => {
    await start('t1');
    expect(connections.last.options.token).toBe('t1');
    refuse();
    await passes(3_600_000);
    expect(connections.all).toHaveLength(1);
    expect(statuses.at(-1)).toBe('offline');
    expect(errors).toContain('unauthorized');
  });

  it('sends what a function returns: a token, a promise of one, or none', async () => {
    const given: (string | undefined | Promise<string>)[] = ['t1', Promise.resolve('t2'), undefined];
    await start(() => given.shift() as string);
    for (const token of ['t1', 't2', undefined]) {
      expect(connections.last.options.token).toBe(token);
      refuse();
      connections.last.closes(4401);
      await passes(8000);
    }
  });

  it('renews each token on the open connection, well before it expires', async () => {
    const tokens: string[] = [];
    await start(async () => {
      tokens.push(tokenFor(600_000, `${tokens.length}`));
      return tokens.at(-1);
    });
    works();
    for (let i = 1; i <= 3; i += 1) {
      for (let ms = 0; ms < 480_000; ms += 20_000) {
        expect(tokens).toHaveLength(i);
        await passes(20_000);
        connections.last.delivers({ type: 'pong' });
      }
      expect(tokens).toHaveLength(i + 1);
      expect(connections.last.requests.at(-1)).toBe(`auth ${tokens.at(-1)}`);
    }
    expect(connections.all).toHaveLength(1);
    expect(statuses).not.toContain('offline');
  });

  it('renews a token whose base64url has the characters that base64 does not have', async () => {
    const given: string[] = [];
    await start(() => {
      given.push(tokenFor(20_000, 'ÿ~?>ÿ~?>ÿ~?>~~~???>>>'));
      return given.at(-1) as string;
    });
    expect(given[0]).toMatch(/-.*_|_.*-/);
    await passes(15_999);
    expect(given).toHaveLength(1);
    await passes(1);
    expect(given).toHaveLength(2);
  });

  it('forwards requests to its connection, and has none before it has a token', async () => {
    await start(() => new Promise((resolve) => setTimeout(() => resolve('t'), 1000)));
    source?.subscribe(new Map([['early', null]]));
    source?.unsubscribe(['early']);
    source?.wake();
    await passes(1000);
    source?.subscribe(new Map([['news', null]]));
    source?.unsubscribe(['news']);
    source?.wake();
    expect(connections.last.requests).toEqual(['subscribe news', 'unsubscribe news', 'ping']);
  });

  it('ends its connection with the codes of the relay', async () => {
    await start(() => 't');
    works();
    connections.last.closes(1012, '750');
    await passes(749);
    expect(connections.all).toHaveLength(1);
    await passes(1);
    expect(connections.all).toHaveLength(2);
    source?.close();
    expect([connections.open, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('reports a failed renewal, repeats it soon, and keeps the connection', async () => {
    let calls = 0;
    await start(async () => {
      calls += 1;
      if (calls === 2) throw new Error('away');
      return tokenFor(20_000);
    });
    works();
    await passes(16_000);
    expect(errors).toEqual(['token_failed']);
    await passes(500);
    expect(calls).toBe(3);
    expect(connections.all).toHaveLength(1);
    expect(connections.last.requests).toHaveLength(1);
  });

  it('sends a new token again soon if the relay cannot verify it, and keeps the connection', async () => {
    await start(async () => tokenFor(20_000));
    works();
    await passes(16_000);
    connections.last.delivers({ type: 'error', code: 'keys_unavailable' });
    await passes(500);
    expect(errors).toEqual(['keys_unavailable']);
    expect(connections.all).toHaveLength(1);
    const [first, second] = connections.last.requests;
    expect([first, connections.last.requests.length]).toEqual([second, 2]);
    connections.last.delivers({ type: 'error', code: 'keys_unavailable' });
    await passes(999);
    expect(connections.last.requests).toHaveLength(2);
    await passes(1);
    expect(connections.last.requests).toHaveLength(3);
  });

  it('sends the same token on the next connection while it is not due for renewal', async () => {
    const ask = vi.fn(async () => tokenFor(600_000));
    await start(ask);
    works();
    connections.last.closes(1006);
    await passes(500);
    expect(connections.all).toHaveLength(2);
    expect(connections.last.options.token).toBe(connections.all[0]?.options.token);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('reconnects at once with another token if a kept one is rejected, without an error', async () => {
    let calls = 0;
    await start(() => `t${++calls}`);
    works();
    connections.last.closes(1006);
    await passes(500);
    refuse();
    await passes(1000);
    expect(connections.last.options.token).toBe('t2');
    expect(errors).toEqual([]);
  });

  it('does the same if only a topic is rejected', async () => {
    let calls = 0;
    await start(() => `t${++calls}`);
    works();
    connections.last.closes(1006);
    await passes(500);
    connections.last.delivers({ type: 'error', code: 'unauthorized', topic: 'chat' });
    expect(connections.last.isClosed).toBe(true);
    await passes(1000);
    expect(connections.last.options.token).toBe('t2');
  });

  it.each([
    ['and the relay says so', refuse],
    ['and the relay only closes', () => connections.last.closes(4401)],
  ])('reconnects soon with another token if an accepted one expires, %s, without an error', async (_, expires) => {
    let calls = 0;
    await start(() => `t${++calls}`);
    works();
    expires();
    await passes(499);
    expect(connections.all).toHaveLength(1);
    await passes(1);
    expect(connections.last.options.token).toBe('t2');
    expect(errors).toEqual([]);
  });

  it('reconnects within a second, however unstable the connections before were', async () => {
    let calls = 0;
    await start(() => `t${++calls}`);
    for (const retryMs of [500, 1000, 2000, 4000, 8000]) {
      works();
      connections.last.closes(1006);
      await passes(retryMs);
    }
    expect(connections.all).toHaveLength(6);
    works();
    refuse();
    await passes(1000);
    expect(connections.last.options.token).toBe('t2');
  });

  it('does the same if the old token expires while a renewed one is on its way, or a renewed one expires', async () => {
    const ask = vi.fn(async () => tokenFor(20_000));
    await start(ask);
    works();
    await passes(16_000);
    expect(connections.last.requests).toHaveLength(1);
    connections.last.delivers({ type: 'error', code: 'unauthorized', topic: 'chat' });
    await passes(1000);
    expect(connections.all).toHaveLength(2);
    expect(errors).toEqual([]);
    refuse();
    expect(errors).toEqual(['unauthorized']);
    await passes(1000);
    expect(connections.all).toHaveLength(2);
  });

  it('repeats each failed renewal soon, however many failed before', async () => {
    let calls = 0;
    await start(async () => {
      calls += 1;
      if (calls % 2 === 0) throw new Error('away');
      return tokenFor(20_000);
    });
    works();
    for (let renewals = 1; renewals <= 6; renewals += 1) {
      await passes(16_000);
      expect(errors).toHaveLength(renewals);
      await passes(500);
      expect(connections.last.requests).toHaveLength(renewals);
      connections.last.delivers({ type: 'pong' });
    }
  });

  it('reports a new token that is rejected, and waits longer', async () => {
    const ask = vi.fn(() => 'bad');
    await start(ask);
    refuse();
    expect(errors).toEqual(['unauthorized']);
    await passes(3999);
    expect(ask).toHaveBeenCalledTimes(1);
    await passes(1);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('reports an app that fails to return a token, and asks it again', async () => {
    let calls = 0;
    await start(async () => {
      calls += 1;
      if (calls === 1) throw new Error('away');
      return 't';
    });
    expect(errors).toEqual(['token_failed']);
    expect([connections.all.length, statuses.at(-1)]).toEqual([0, 'offline']);
    await passes(500);
    expect(connections.last.options.token).toBe('t');
  });

  it('passes on a rejection if there is no token', async () => {
    await start(() => undefined);
    works();
    connections.last.delivers({ type: 'error', code: 'unauthorized', topic: 'private' });
    expect(errors).toEqual(['unauthorized']);
    expect(connections.last.isClosed).toBe(false);
  });

  it('opens nothing if it was closed while the token was loading', async () => {
    await start(() => new Promise((resolve) => setTimeout(() => resolve('t'), 1000)));
    source?.close();
    await passes(5000);
    expect(connections.all).toHaveLength(0);
  });

  it('neither reports nor repeats a renewal that fails after it was closed', async () => {
    const away = () => new Promise<string>((_, reject) => setTimeout(() => reject(new Error('away')), 1000));
    const load = vi.fn(() => (load.mock.calls.length === 1 ? tokenFor(20_000) : away()));
    await start(load);
    works();
    await passes(16_000);
    source?.close();
    await passes(60_000);
    expect([errors, load.mock.calls.length, vi.getTimerCount()]).toEqual([[], 2, 0]);
  });

  it('sends nothing if there is no other token when it is due for renewal, and keeps the connection', async () => {
    const given = [tokenFor(20_000)];
    await start(() => given.shift());
    works();
    await passes(16_000);
    expect([connections.all.length, connections.last.requests]).toEqual([1, []]);
  });

  it.each([
    ['is opaque', () => 'opaque'],
    ['has no exp', () => `e30.${Buffer.from('{}').toString('base64url')}.c2ln`],
    ['has expired by this clock', () => tokenFor(-1000)],
    ['lives for longer than a timer can wait', () => tokenFor(3_000_000_000)],
  ])('requests no other token if one %s', async (_, token) => {
    const ask = vi.fn(token);
    await start(ask);
    works();
    for (let i = 0; i < 100; i += 1) {
      await passes(20_000);
      connections.last.delivers({ type: 'pong' });
    }
    expect(ask).toHaveBeenCalledTimes(1);
  });
});
