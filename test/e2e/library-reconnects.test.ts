import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { PING_AFTER_MS, PONG_TIMEOUT_MS, RETRY_MS } from '../../services/client/timings.ts';
import type { Broker } from '../../services/shared/broker/broker.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { type LibraryApp, LibraryPage, startLibraryApp } from '../support/library-page.ts';
import { Middlebox } from '../support/middlebox.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

/** Allowance for opening a connection on a loaded machine. */
const MARGIN_MS = 2000;

let browser: Browser;
let relays: ServiceProcess[];
let broker: Broker;
let middlebox: Middlebox;
let app: LibraryApp;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
beforeEach(async () => {
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
  for (const context of browser.contexts()) await context.close();
  await app.stop();
  await middlebox.stop();
  await broker.stop();
  await Promise.all(relays.map((relay) => relay.stop('SIGKILL')));
});

const publish = async (topic: string) => (await broker.publish(topic as Topic, {}, { epoch: '', version: 0 })).version;

async function open(topics: readonly string[], options: Parameters<typeof openPage>[2] = {}): Promise<LibraryPage> {
  const library = new LibraryPage((await openPage(browser, app.url, options)).page);
  await library.connect({ topics });
  await library.is('live');
  return library;
}

describe('a page in Chromium', () => {
  it.each([
    ['is killed', 'SIGKILL'],
    ['shuts down', 'SIGTERM'],
  ] as const)(
    'whose relay %s reconnects to another within a second, and receives what it missed once',
    async (_, signal) => {
      const library = await open(['a', 'b']);
      const before = await publish('a');
      await library.received('a', [before]);
      const [first, second] = relays as [ServiceProcess, ServiceProcess];
      expect(await first.metric('relay_connections')).toBe(1);
      const stopwatch = startStopwatch();
      const gone = first.stop(signal);
      const missed = await publish('a');
      await library.received('a', [before, missed]);
      expectInTime(stopwatch.stop(), RETRY_MS + MARGIN_MS);
      await gone;
      await library.is('live');
      expect(await second.metric('relay_connections')).toBe(1);
      expect(await library.versions('b')).toEqual([]);
      expect((await library.log()).statuses).toEqual(['live', 'offline', 'connecting', 'live']);
    },
  );

  it('notices within 40 s that its relay hangs, and receives what it missed', async () => {
    const library = await open(['a'], { prepare: (page) => page.clock.install() });
    relays[0]?.kill('SIGSTOP');
    middlebox.targets = middlebox.targets.slice(1); // it fails its health checks
    const missed = await publish('a');
    await library.page.clock.fastForward(PING_AFTER_MS);
    expect((await library.log()).statuses.at(-1)).toBe('live');
    await library.page.clock.fastForward(PONG_TIMEOUT_MS);
    await library.page.clock.fastForward(RETRY_MS);
    await library.received('a', [missed]);
    await library.is('live');
  });
});
