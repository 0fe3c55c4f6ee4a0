import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { CONNECT_TIMEOUT_MS, FALLBACK_DELAY_MS, UPGRADE_MS } from '../../services/client/timings.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { type LibraryApp, LibraryPage, type PageOptions, startLibraryApp } from '../support/library-page.ts';
import { Middlebox } from '../support/middlebox.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

/** Opens a page with a clock that the test can fast-forward. */
const FAST = { prepare: (page: Page) => page.clock.install() };

let browser: Browser;
let relay: RelayFixture;
let middlebox: Middlebox;
let app: LibraryApp;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
beforeEach(async () => {
  relay = await startRelay();
  middlebox = await Middlebox.start(relay.port);
  app = await startLibraryApp({ relay: middlebox.url });
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await app.stop();
  await middlebox.stop();
  await relay.stop();
});

async function open(options: PageOptions, pageOptions: Parameters<typeof openPage>[2] = {}): Promise<LibraryPage> {
  const { page } = await openPage(browser, app.url, pageOptions);
  const library = new LibraryPage(page);
  await library.connect(options);
  return library;
}

/** Publishes, and waits until the page has received exactly this update. */
async function receivesUpdates(library: LibraryPage): Promise<void> {
  const before = await library.versions('chat');
  const version = await relay.publish('chat');
  await library.received('chat', [...before, version]);
}

describe('a page in Chromium', () => {
  it('connects by WebSocket if that passes', async () => {
    const library = await open({ topics: ['chat'] });
    await library.is('live');
    await receivesUpdates(library);
    expect(middlebox.seen).toEqual(['websocket']);
  });

  it.each([
    ['Server-Sent Events if WebSockets are blocked', ['websocket'], 'sse'],
    ['long-polls if Server-Sent Events are blocked too', ['websocket', 'sse'], 'longpoll'],
  ] as const)('connects by %s at once, and next time without a detour', async (_, blocked, transport) => {
    for (const name of blocked) middlebox.blocks.set(name, 'rejected');
    const stopwatch = startStopwatch();
    const library = await open({ topics: ['chat'] });
    await library.is('live');
    expectInTime(stopwatch.stop(), blocked.length * FALLBACK_DELAY_MS + 2000);
    expect(middlebox.seen.slice(0, blocked.length + 1)).toEqual([...blocked, transport]);
    await receivesUpdates(library);

    middlebox.seen.length = 0;
    await library.page.reload();
    await library.connect({ topics: ['chat'] });
    await library.is('live');
    await receivesUpdates(library);
    expect(new Set(middlebox.seen)).toEqual(new Set([transport]));
  });

  it.each([
    ['WebSockets', ['websocket'], 'sse'],
    ['WebSockets and event streams', ['websocket', 'sse'], 'longpoll'],
  ] as const)('gets through a proxy that drops %s silently', async (_, blocked, transport) => {
    for (const name of blocked) middlebox.blocks.set(name, 'dropped');
    const library = await open({ topics: ['chat'] }, FAST);
    for (const name of blocked) {
      await eventually(() => expect(middlebox.seen.at(-1)).toBe(name));
      await library.page.clock.fastForward(CONNECT_TIMEOUT_MS);
      await library.page.clock.fastForward(FALLBACK_DELAY_MS);
    }
    await eventually(() => expect(middlebox.seen.at(-1)).toBe(transport));
    await library.is('live');
    await receivesUpdates(library);
  });

  it('returns to the best transport, misses nothing meanwhile, and never holds two connections', async () => {
    middlebox.blocks.set('websocket', 'rejected').set('sse', 'rejected');
    const library = await open({ topics: ['chat'] }, FAST);
    await library.is('live');
    expect(middlebox.seen.at(-1)).toBe('longpoll');
    const versions = [await relay.publish('chat')];
    await library.received('chat', versions);

    // It tries the better transport, which does not work yet.
    middlebox.blocks.delete('sse');
    await library.page.clock.fastForward(2 * UPGRADE_MS);
    await eventually(() => expect(middlebox.seen.filter((name) => name === 'websocket')).toHaveLength(2));
    versions.push(await relay.publish('chat'));
    await library.page.clock.fastForward(FALLBACK_DELAY_MS);
    await library.received('chat', versions);
    expect(middlebox.seen.at(-1)).toBe('sse');
    expect(await relay.metric('relay_connections')).toBe(1);

    middlebox.blocks.clear();
    await library.page.clock.fastForward(3 * UPGRADE_MS);
    await eventually(() => expect(middlebox.seen.at(-1)).toBe('websocket'));
    versions.push(await relay.publish('chat'));
    await library.received('chat', versions);
    await library.is('live');
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(1));
  });
});
