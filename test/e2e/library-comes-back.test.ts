import type { Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { ANSWER_MS, RETRY_MS, SILENCE_MS } from '../../services/client/numbers.ts';
import type { Broker } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { startTabbedBrowser, type TabbedBrowser } from '../support/browser-tabs.ts';
import { eventually } from '../support/eventually.ts';
import { type LibraryApp, LibraryPage, startLibraryApp } from '../support/library-page.ts';
import { Middlebox } from '../support/middlebox.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

/** What this machine may need for a new connection, a cold one and with other tests beside it. */
const MARGIN_MS = 1500;
const fast = (page: Page) => page.clock.install();

let browser: TabbedBrowser;
let relays: ServiceProcess[];
let broker: Broker;
let middlebox: Middlebox;
let app: LibraryApp;

beforeEach(async () => {
  browser = await startTabbedBrowser(inject('chromiumPath')); // all its tabs have the same clock
  const env = {
    REDIS_URL: inject('redisUrl'),
    HELIOGRAPH_PREFIX: randomPrefix(),
    PARTITIONS: '4',
    DRAIN_WINDOW: '0s',
    REBALANCE: '0',
  };
  broker = redisBrokers(env).connect();
  relays = await Promise.all([startService('relay', env), startService('relay', env)]);
  await broker.start();
  middlebox = await Middlebox.start(...relays.map(({ port }) => port));
  app = await startLibraryApp({ relay: middlebox.url });
});
afterEach(async () => {
  await browser.stop();
  await app.stop();
  await middlebox.stop();
  await broker.stop();
  await Promise.all(relays.map((relay) => relay.stop('SIGKILL')));
});

const publish = async (topic: string) =>
  (await broker.publish(topic as Topic, {}, { history: '', version: 0 })).version;

async function open(options: Parameters<LibraryPage['listen']>[0], prepare?: (page: Page) => Promise<unknown>) {
  const library = new LibraryPage(await browser.open(app.url, prepare));
  await library.listen(options);
  await library.is('live');
  return library;
}

/** Takes the network away, or gives it back. */
async function setOffline(isOffline: boolean): Promise<void> {
  await browser.context.setOffline(isOffline);
  // Chromium leaves WebSockets alone that stand already.
  if (isOffline) middlebox.cut();
}

describe('a page in Chromium', { timeout: 60_000 }, () => {
  it.each([
    ['killed', 'SIGKILL'],
    ['stopped in order', 'SIGTERM'],
  ] as const)(
    'whose relay is %s is back on another within a second, and told what it missed, once',
    async (_, signal) => {
      const library = await open({ topics: ['a', 'b'] });
      const before = await publish('a');
      await library.knows('a', [before]);
      const [first, second] = relays as [ServiceProcess, ServiceProcess];
      expect(await first.metric('relay_connections')).toBe(1);
      const goneAtMs = performance.now();
      const gone = first.stop(signal);
      const missed = await publish('a');
      await library.knows('a', [before, missed]);
      expect(performance.now() - goneAtMs).toBeLessThan(RETRY_MS + MARGIN_MS);
      await gone;
      await library.is('live');
      expect(await second.metric('relay_connections')).toBe(1);
      expect(await library.versions('b')).toEqual([]);
      expect((await library.told()).statuses).toEqual(['live', 'offline', 'connecting', 'live']);
    },
  );

  it('whose relay hangs notices by itself, within 40 s, and is told what it missed', async () => {
    const library = await open({ topics: ['a'] }, fast);
    relays[0]?.kill('SIGSTOP');
    middlebox.targets = middlebox.targets.slice(1); // it fails its health checks
    const missed = await publish('a');
    await library.page.clock.fastForward(SILENCE_MS);
    expect((await library.told()).statuses.at(-1)).toBe('live');
    await library.page.clock.fastForward(ANSWER_MS);
    await library.page.clock.fastForward(RETRY_MS);
    await library.knows('a', [missed]);
    await library.is('live');
  });

  it('that was offline is back as soon as the network is, without waiting for its next try', async () => {
    const library = await open({ topics: ['a'] }, fast);
    await library.page.clock.pauseAt(Date.now() + 60_000); // from here on no time passes
    await setOffline(true);
    await library.is('offline');
    const missed = await publish('a');
    await setOffline(false);
    await library.knows('a', [missed]);
    await library.is('live');
  });

  it('whose line was lost while its tab was hidden is back as soon as that is shown', async () => {
    const library = await open({ topics: ['a'] }, fast);
    await library.page.clock.pauseAt(Date.now() + 60_000);
    await browser.open('about:blank');
    await eventually(async () => expect(await library.page.evaluate('document.visibilityState')).toBe('hidden'));
    middlebox.cut();
    await library.is('offline');
    const missed = await publish('a');
    await library.page.bringToFront();
    await library.knows('a', [missed]);
    await library.is('live');
  });

  it('fetches nothing while its tab is hidden, and once when that is shown', async () => {
    const library = await open({ watch: 'a' });
    await eventually(async () => expect((await library.told()).fetches).toEqual([null]));
    await browser.open('about:blank');
    await eventually(async () => expect(await library.page.evaluate('document.visibilityState')).toBe('hidden'));
    for (let n = 0; n < 2; n += 1) await publish('a');
    const newest = await publish('a');
    await eventually(async () => expect((await library.versions('a')).at(-1)).toBe(newest));
    expect((await library.told()).fetches).toEqual([null]);
    await library.page.bringToFront();
    await eventually(async () => expect((await library.told()).fetches).toEqual([null, newest]));
  });

  it.each([
    ['by itself', false],
    ['with other tabs', true],
  ])('that is left, and come back to, goes on %s where it was', async (_, shared) => {
    const library = await open({ topics: ['a'], shared });
    await library.page.goto('about:blank');
    const missed = await publish('a');
    // The browser has kept the page as it was; a new one would know nothing.
    await library.page.evaluate('history.back()');
    await library.knows('a', [missed]);
    await library.is('live');
  });

  it('that was frozen goes on where it was', async () => {
    const library = await open({ topics: ['a'] });
    await browser.open('about:blank');
    await browser.freeze(library.page, true);
    const missed = await publish('a');
    await browser.freeze(library.page, false);
    await library.page.bringToFront();
    await library.knows('a', [missed]);
    await library.is('live');
  });
});
