import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { startTabbedBrowser, type TabbedBrowser } from '../support/browser-tabs.ts';
import { eventually } from '../support/eventually.ts';
import { type LibraryApp, LibraryPage, startLibraryApp } from '../support/library-page.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let browser: TabbedBrowser;
let relay: RelayFixture;
let app: LibraryApp;

beforeAll(async () => {
  browser = await startTabbedBrowser(inject('chromiumPath'));
});
afterAll(() => browser.stop());
beforeEach(async () => {
  relay = await startRelay();
  app = await startLibraryApp({ relay: relay.http });
});
afterEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close();
  await app.stop();
  await relay.stop();
});

async function open(topics: readonly string[]): Promise<LibraryPage> {
  const tab = new LibraryPage(await browser.open(app.url));
  await tab.connect({ topics, shared: true });
  await tab.is('live');
  return tab;
}

const connections = () => relay.metric('relay_connections');
const opened = () => relay.metric('relay_connections_opened_total');

describe('tabs in Chromium', () => {
  it('hold one connection between them, and each receives its own topics', async () => {
    const [one, two] = [await open(['a', 'b']), await open(['b', 'c'])];
    expect([await connections(), await opened()]).toEqual([1, 1]);
    const [a, b, c] = [await relay.publish('a'), await relay.publish('b'), await relay.publish('c')];
    await one.received('a', [a]);
    await one.received('b', [b]);
    await two.received('b', [b]);
    await two.received('c', [c]);
    expect([await one.versions('c'), await two.versions('a')]).toEqual([[], []]);
    expect(relay.relay.hub.topics).toBe(3);
    await two.page.close();
    await eventually(() => expect(relay.relay.hub.topics).toBe(2));
  });

  it.each([
    ['is closed', (leader: LibraryPage) => leader.page.close()],
    ['goes to another page', (leader: LibraryPage) => leader.page.goto('about:blank')],
    ['ends its client', (leader: LibraryPage) => leader.close()],
  ])('continue over another leader when theirs %s, and lose nothing', async (_, leave) => {
    const [leader, other, third] = [await open(['a']), await open(['a', 'b']), await open(['a'])];
    const before = await relay.publish('a');
    for (const tab of [leader, other, third]) await tab.received('a', [before]);
    const left = leave(leader);
    const meanwhile = [await relay.publish('a'), await relay.publish('b')];
    await left;
    const after = await relay.publish('a');
    await eventually(async () => {
      for (const tab of [other, third]) expect((await tab.versions('a')).at(-1)).toBe(after);
      expect((await other.versions('b')).at(-1)).toBe(meanwhile[1]);
    });
    for (const tab of [other, third]) {
      const versions = await tab.versions('a');
      expect(versions).toEqual([...new Set(versions)].sort((x, y) => x - y));
    }
    expect([await connections(), await opened()]).toEqual([1, 2]);
    await other.is('live');
  });

  it('replace a leader that the browser freezes, which receives what it missed when it resumes', async () => {
    const [leader, other] = [await open(['a']), await open(['a'])];
    await browser.freeze(leader.page, true);
    const version = await relay.publish('a');
    await other.received('a', [version]);
    await other.is('live');
    await browser.freeze(leader.page, false);
    await leader.received('a', [version]);
    await leader.is('live');
    await eventually(async () => expect(await connections()).toBe(1));
    expect(await opened()).toBe(2);
  });

  it('open and close clients at once, as frameworks do, and hold one connection', async () => {
    const tab = new LibraryPage(await browser.open(app.url));
    for (let n = 0; n < 5; n += 1) {
      await tab.connect({ topics: ['a'], shared: true });
      if (n < 4) await tab.close();
    }
    await tab.is('live');
    const version = await relay.publish('a');
    await tab.received('a', [version]);
    expect(await connections()).toBe(1);
  });
});
