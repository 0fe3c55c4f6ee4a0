import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { type CommentsApp, startCommentsApp } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

/** Shows the comments, and adds one's own to them by itself. */
const SCRIPT = `
import { Heliograph } from 'heliograph/client';
const heliograph = new Heliograph(RELAY);
const main = document.querySelector('main');
const show = (comments) => { main.textContent = comments.join(' '); };
window.post = async (comment) => {
  const response = await heliograph.fetch('/comments', { method: 'POST', body: comment });
  main.textContent += ' ' + (await response.text());
};
heliograph.watch('chat', async ({ signal }) => show(await (await heliograph.fetch('/comments', { signal })).json()));
`;

let browser: Browser;
let relay: RelayFixture;
let app: CommentsApp;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
beforeEach(async () => {
  relay = await startRelay();
  app = await startCommentsApp({ relay, script: SCRIPT });
  await app.write('one');
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await app[Symbol.asyncDispose]();
  await relay.stop();
});

async function open() {
  const opened = await openPage(browser, app.url);
  await shows(opened.page, 'one');
  return opened;
}

const shows = (page: Page, text: string) => eventually(async () => expect(await page.textContent('main')).toBe(text));
const post = (page: Page, comment: string) =>
  page.evaluate((given) => (window as unknown as { post(text: string): Promise<void> }).post(given), comment);

describe('a page in Chromium that wrote', () => {
  it('does not read what it wrote, and reads what others write afterwards', async () => {
    const { page, complaints } = await open();
    const before = app.reads;
    await post(page, 'mine');
    await post(page, 'again');
    await shows(page, 'one mine again');
    await app.write('theirs');
    await shows(page, 'one mine again theirs');
    expect(app.reads).toBe(before + 1);
    expect(complaints).toEqual([]);
  });

  it('reads what another user wrote just before it', async () => {
    const { page } = await open();
    app.beforePublish = () => app.write('theirs');
    await post(page, 'mine');
    await shows(page, 'one mine theirs');
  });

  it('reads what another user wrote while it was not connected', async () => {
    const { page } = await open();
    await page.context().setOffline(true);
    await app.write('theirs');
    await page.context().setOffline(false);
    await post(page, 'mine');
    await shows(page, 'one theirs mine');
  });

  it('reads again while the app responds with older content than it was notified of, and says so', async () => {
    const { page, complaints } = await open();
    const before = app.reads;
    await app.stayBehind(2);
    await app.write('two');
    await shows(page, 'one two');
    expect(app.reads).toBe(before + 3);
    expect(complaints.map((text) => text.split(' ')[0])).toEqual(['Heliograph', 'Heliograph']);
  });

  it('keeps what it wrote if the app then responds with older content', async () => {
    const { page } = await open();
    await app.stayBehind(1);
    await post(page, 'mine');
    await app.write('two');
    await shows(page, 'one mine two');
  });
});
