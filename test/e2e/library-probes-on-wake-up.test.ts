import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { startTabbedBrowser, type TabbedBrowser } from '../support/browser-tabs.ts';
import { eventually } from '../support/eventually.ts';
import { type LibraryApp, LibraryPage, type PageOptions, startLibraryApp } from '../support/library-page.ts';
import { Middlebox } from '../support/middlebox.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let relay: RelayFixture;
let middlebox: Middlebox;
let app: LibraryApp;

beforeEach(async () => {
  relay = await startRelay();
  middlebox = await Middlebox.start(relay.port);
  app = await startLibraryApp({ relay: middlebox.url });
});
afterEach(async () => {
  await app.stop();
  await middlebox.stop();
  await relay.stop();
});

async function open(browser: TabbedBrowser, options: PageOptions, prepare?: (page: Page) => Promise<unknown>) {
  const library = new LibraryPage(await browser.open(app.url, prepare));
  await library.connect(options);
  await library.is('live');
  return library;
}

/** Shows another tab. */
async function hide(browser: TabbedBrowser, { page }: LibraryPage): Promise<void> {
  await browser.open('about:blank');
  await eventually(async () => expect(await page.evaluate('document.visibilityState')).toBe('hidden'));
}

describe('a page in Chromium with a stopped clock', () => {
  let browser: TabbedBrowser;
  let library: LibraryPage;

  beforeEach(async () => {
    browser = await startTabbedBrowser(inject('chromiumPath')); // all its tabs have this clock
    library = await open(browser, { topics: ['a'] }, (page) => page.clock.install());
    await library.page.clock.pauseAt(Date.now() + 60_000);
  });
  afterEach(() => browser.stop());

  it('reconnects as soon as the network is back, without waiting for its next retry', async () => {
    await browser.context.setOffline(true);
    middlebox.cut(); // Chromium leaves WebSockets alone that stand already
    await library.is('offline');
    const missed = await relay.publish('a');
    await browser.context.setOffline(false);
    await library.received('a', [missed]);
    await library.is('live');
  });

  it('reconnects as soon as its tab is shown, if its connection was lost while hidden', async () => {
    await hide(browser, library);
    middlebox.cut();
    await library.is('offline');
    const missed = await relay.publish('a');
    await library.page.bringToFront();
    await library.received('a', [missed]);
    await library.is('live');
  });
});

describe('a page in Chromium', () => {
  let browser: TabbedBrowser;
  beforeAll(async () => {
    browser = await startTabbedBrowser(inject('chromiumPath'));
  });
  afterAll(() => browser.stop());
  afterEach(async () => {
    for (const page of browser.context.pages().slice(1)) await page.close();
  });

  it('fetches nothing while its tab is hidden, and once when that is shown', async () => {
    const library = await open(browser, { watch: 'a' });
    await eventually(async () => expect((await library.log()).fetches).toEqual([null]));
    await hide(browser, library);
    for (let n = 0; n < 2; n += 1) await relay.publish('a');
    const newest = await relay.publish('a');
    await eventually(async () => expect((await library.versions('a')).at(-1)).toBe(newest));
    expect((await library.log()).fetches).toEqual([null]);
    await library.page.bringToFront();
    await eventually(async () => expect((await library.log()).fetches).toEqual([null, newest]));
  });

  it.each([
    ['by itself', false],
    ['with other tabs', true],
  ])('continues %s after a visit to another page', async (_, shared) => {
    const library = await open(browser, { topics: ['a'], shared });
    await library.page.goto('about:blank');
    const missed = await relay.publish('a');
    // The browser has kept the page: a new one would have an empty log.
    await library.page.evaluate('void setTimeout(() => history.back())');
    await library.received('a', [missed]);
    await library.is('live');
  });

  it('continues after it was frozen', async () => {
    const library = await open(browser, { topics: ['a'] });
    await hide(browser, library);
    await browser.freeze(library.page, true);
    const missed = await relay.publish('a');
    await browser.freeze(library.page, false);
    await library.page.bringToFront();
    await library.received('a', [missed]);
    await library.is('live');
  });
});
