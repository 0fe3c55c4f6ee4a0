import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { type CommentsApp, startCommentsApp } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { readmeExample } from '../support/readme-example.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());

it('Turbo shows each update, and after an outage what it missed, without a script of the page', async () => {
  const port = String(await freePort());
  const relay = await startRelay({ env: { RELAY_PORT: port } });
  const example = readmeExample('html', 'turbo-stream-source').replaceAll('http://localhost:8080', relay.http);
  const line = (tag: string) => example.split('\n').find((text) => text.startsWith(tag)) ?? '';
  const app = await startCommentsApp({
    relay,
    script: `import '@hotwired/turbo';
      addEventListener('turbo:render', () => document.documentElement.dataset.renders = 1 + Number(document.documentElement.dataset.renders ?? 0));`,
    head: line('<meta'),
    body: (comments) => `${line('<turbo')}<main>${comments.join(' ')}</main>`,
  });
  await app.write('one');
  const { page, complaints } = await openPage(browser, app.url);
  const shows = (text: string) => eventually(async () => expect(await page.textContent('main')).toBe(text));
  await shows('one');
  await eventually(() => expect(relay.relay.hub.isFresh('chat' as never)).toBe(true));
  await app.write('two');
  await shows('one two');
  expect(complaints).toEqual([]);
  await relay.relay.stop();
  await app.write('three');
  await using next = await startRelay({ env: { RELAY_PORT: port }, broker: relay.broker });
  await shows('one two three');
  await next.publish('other');
  expect(await page.evaluate(() => document.documentElement.dataset.renders)).toBe('2');
  expect(await page.locator('turbo-stream').count()).toBe(0);
  await page.context().close();
  await app[Symbol.asyncDispose]();
  await relay.stop();
});

/** The example of the page, with a client that records what happens. */
const ADAPTER = `
const heliograph = new Heliograph(RELAY);
window.updates = 0;
heliograph.on('update', () => (window.updates += 1));
window.errors = [];
heliograph.on('error', ({ code }) => window.errors.push(code));
window.renders = [];
addEventListener('turbo:render', () => window.renders.push(document.querySelector('main').textContent));
${readmeExample('js', 'heliograph/turbo')
  .replace("new Heliograph('http://localhost:8080')", 'heliograph')
  .replace('refreshOnUpdate({ ', 'window.stop = $&')}
`;

describe('the adapter for Turbo', () => {
  let relay: RelayFixture;
  let app: CommentsApp;
  let page: Page;
  let complaints: readonly string[];
  /** What its pages say about their topics. */
  let name: (versions: string) => string;

  beforeEach(async () => {
    name = (versions) => versions;
    relay = await startRelay();
    app = await startCommentsApp({
      relay,
      script: ADAPTER,
      head: '<meta name="turbo-refresh-method" content="morph"><meta name="turbo-prefetch" content="false">',
      body: (comments, versions) => `<meta name="heliograph-version" content="${name(versions)}">
        <main>${comments.join(' ')}</main>
        <form method="post" action="/comments">
          <input name="comment"><button>Redirect</button><button formaction="/comments?stream">Stream</button>
        </form>
        <a href="/?page=2">Other page</a>`,
    });
    await app.write('one');
  });
  afterEach(async () => {
    await page.context().close();
    await app[Symbol.asyncDispose]();
    await relay.stop();
  });

  const open = async () => {
    ({ page, complaints } = await openPage(browser, app.url));
    await eventually(() => expect(relay.relay.hub.isFresh('chat' as never)).toBe(true));
  };
  const shows = (text: string) => eventually(async () => expect(await page.textContent('main')).toBe(text));
  const read = <T>(expression: string) => page.evaluate(expression) as Promise<T>;
  const isPage = (search: string) => (url: URL) => url.pathname === '/' && url.search === search;
  const updatesReach = (count: number) => eventually(async () => expect(await read('updates')).toBe(count));
  const submit = async (comment: string, button: string) => {
    await page.fill('input', comment);
    await page.click(`text=${button}`);
  };
  const setHidden = (hidden: boolean) =>
    read(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'))`);

  it('fetches the page once after each update, not after its load, and again after a failure', async () => {
    await open();
    await app.write('two');
    await shows('one two');
    expect(app.renders).toBe(2);
    expect(complaints).toEqual([]);
    await page.route(isPage(''), (route) => route.abort(), { times: 1 });
    await app.write('three');
    await shows('one two three');
    await page.route(isPage(''), (route) => route.fulfill({ status: 500, body: 'broken' }), { times: 1 });
    await app.write('four');
    await shows('one two three four');
    expect(app.renders).toBe(4);
    expect(await read('errors')).toEqual(['fetch_failed', 'fetch_failed']);
    await read('stop()');
    await eventually(() => expect(relay.relay.hub.topics).toBe(0));
  });

  it('fetches once for all updates of a hidden tab, and again if the page is older than the update', async () => {
    await open();
    await setHidden(true);
    const old = await (await fetch(app.url)).text();
    for (const [index, comment] of ['two', 'three'].entries()) {
      await app.write(comment);
      await updatesReach(index + 1);
    }
    await page.route(isPage(''), (route) => route.fulfill({ contentType: 'text/html', body: old }), { times: 1 });
    const before = app.renders;
    await setHidden(false);
    await shows('one two three');
    expect(app.renders).toBe(before + 1);
    expect(await read('errors')).toEqual(['content_behind']);
  });

  it.each([
    ['a redirect', 'Redirect', 1],
    ['a stream', 'Stream', 0],
  ])(
    'does not fetch what its form wrote, with %s as the response, though the update arrives before it',
    async (_, button, ownRenders) => {
      await open();
      let updates = 0;
      app.beforeRespond = () => {
        updates += 1;
        return updatesReach(updates);
      };
      await submit('mine', button);
      await shows('one mine');
      await submit('again', button);
      await shows('one mine again');
      await app.write('theirs');
      await shows('one mine again theirs');
      expect(app.renders).toBe(1 + 2 * ownRenders + 1);
      expect(complaints).toEqual([]);
    },
  );

  it('fetches what another user has written between the page and its own write', async () => {
    await open();
    app.beforePublish = async () => {
      app.beforePublish = async () => {};
      await setHidden(true);
      await app.write('theirs');
      await updatesReach(1);
    };
    await submit('mine', 'Stream');
    await shows('one mine');
    await setHidden(false);
    await shows('one mine theirs');
    expect(complaints).toEqual([]);
  });

  it('never interrupts a visit, and refreshes the visited page if it is older than the update', async () => {
    await open();
    await page.route(
      isPage('?page=2'),
      async (route) => {
        const response = await route.fetch();
        await app.write('two');
        await updatesReach(1);
        await route.fulfill({ response });
      },
      { times: 1 },
    );
    await page.click('a');
    await shows('one two');
    expect(new URL(page.url()).search).toBe('?page=2');
    expect(app.renders).toBe(3);
    await page.goBack();
    await shows('one two');
    expect(new URL(page.url()).search).toBe('');
    expect(complaints).toEqual([]);
  });

  it('renders no page that it fetched before a visit in place of the visited one', async () => {
    await open();
    let click = () => {};
    const clicked = new Promise<void>((resolve) => {
      click = resolve;
    });
    const [requested, answered] = [page.waitForRequest(app.url), page.waitForResponse(app.url)];
    await page.route(isPage(''), async (route) => {
      await clicked;
      await route.fulfill({ contentType: 'text/html', body: '<main>the page before</main>' });
    });
    await page.route(isPage('?page=2'), async (route) => {
      click();
      await answered;
      await route.continue();
    });
    await app.write('two');
    await requested;
    await page.click('a');
    await shows('one two');
    await app.write('three');
    await shows('one two three');
    expect(await read('renders')).not.toContain('the page before');
    expect(complaints).toEqual([]);
  });

  it('fetches a page once more that names a topic without a version, and watches the topics of the page only', async () => {
    name = () => 'chat, news';
    await open();
    await eventually(() => expect(app.renders).toBe(2));
    await app.write('two');
    await shows('one two');
    expect(app.renders).toBe(3);
    name = () => '';
    await page.click('a');
    await eventually(() => expect(relay.relay.hub.topics).toBe(0));
    expect(complaints).toEqual([]);
  });
});
