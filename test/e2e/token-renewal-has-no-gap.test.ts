import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { TransportName } from '../../services/client/heliograph-client.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { type LibraryApp, LibraryPage, startLibraryApp } from '../support/library-page.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';
import { JWT_SECRET, signToken } from '../support/tokens.ts';

const TRANSPORTS: readonly TransportName[] = ['websocket', 'sse', 'longpoll'];
/** Longest permitted time without an update of a topic that changes all the time, in milliseconds. */
const GAP_MS = 1500;

let browser: Browser;
let relay: RelayFixture;
let app: LibraryApp | undefined;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
beforeEach(async () => {
  relay = await startRelay({ env: { SUBSCRIBE_AUTH: 'required', JWT_SECRET } });
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await app?.stop();
  await relay.stop();
});

/** Returns a token that is valid for this long, or up to a second less. */
const tokenFor = (seconds: number) => signToken({ topics: ['chat'], exp: Math.floor(Date.now() / 1000) + seconds });

async function open(options: { transports?: readonly TransportName[]; clockMs?: number } = {}): Promise<LibraryPage> {
  const { transports = TRANSPORTS, clockMs } = options;
  const { page } = await openPage(browser, app?.url ?? '', {
    prepare: async (opened) => clockMs !== undefined && opened.clock.install({ time: clockMs }),
  });
  const library = new LibraryPage(page);
  await library.connect({ topics: ['chat'], token: true, transports });
  return library;
}

describe('a page in Chromium whose token lives for seconds', () => {
  it('renews it in time, over every transport, and receives updates all the time', async () => {
    app = await startLibraryApp({ relay: relay.http, token: () => tokenFor(4) });
    const pages = await Promise.all(TRANSPORTS.map((transport) => open({ transports: [transport] })));
    for (const page of pages) await page.is('live');
    let version = 0;
    const stopwatch = startStopwatch();
    const publishing = setInterval(async () => {
      version = await relay.publish('chat');
    }, 100);
    // Every page has used its third token for a while.
    await eventually(() => expect(app?.tokens).toBeGreaterThanOrEqual(3 * TRANSPORTS.length));
    clearInterval(publishing);
    const { lateMs } = stopwatch.stop();
    for (const page of pages) {
      await eventually(async () => expect((await page.versions('chat')).at(-1)).toBe(version));
      const { updates, statuses, errors } = await page.log();
      const gaps = updates.slice(1).map(({ atMs }, i) => atMs - (updates[i]?.atMs ?? 0));
      expectInTime({ tookMs: Math.max(...gaps), lateMs }, GAP_MS);
      expect([statuses, errors]).toEqual([['live'], []]);
    }
  });

  it('reconnects at once with another one if its clock is wrong and the relay rejects the token', async () => {
    app = await startLibraryApp({ relay: relay.http, token: () => tokenFor(4) });
    const page = await open({ clockMs: Date.now() + 3_600_000 });
    await page.is('live');
    await eventually(async () =>
      expect((await page.log()).statuses.slice(1)).toEqual(['offline', 'connecting', 'live']),
    );
    expect(app.tokens).toBe(2);
    const version = await relay.publish('chat');
    await page.received('chat', [version]);
    expect((await page.log()).errors).toEqual([]);
  });

  it('receives an error if a token is rejected, and continues with the next', async () => {
    const given = [Promise.resolve('x.y.z'), tokenFor(60)];
    app = await startLibraryApp({ relay: relay.http, token: async () => given.shift() ?? '' });
    const page = await open({ clockMs: Date.now() });
    await eventually(async () => expect((await page.log()).errors).toEqual(['unauthorized']));
    await page.is('offline');
    await page.page.clock.fastForward(8000);
    await page.is('live');
  });
});
