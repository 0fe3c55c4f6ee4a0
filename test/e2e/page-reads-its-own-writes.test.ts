import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, type TestContext } from 'vitest';
import { WRITE_HOLD_MS } from '../../services/client/timings.ts';
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
  const begunAtMs = performance.now();
  const response = await heliograph.fetch('/comments', { method: 'POST', body: comment });
  main.textContent += ' ' + (await response.text());
  return performance.now() - begunAtMs;
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
/** Writes a comment. Skips the test if that took longer than reads wait for it: then the page may read it before it adds it. */
async function post(page: Page, comment: string, { skip }: TestContext): Promise<void> {
  const write = (given: string) => (window as unknown as { post(text: string): Promise<number> }).post(given);
  const tookMs = await page.evaluate(write, comment);
  skip(tookMs >= WRITE_HOLD_MS, `the write took ${Math.round(tookMs)} ms`);
}

describe('a page in Chromium that wrote', () => {
  it('does not read what it wrote, and reads what others write afterwards', async (context) => {
    const { page, complaints } = await open();
    const before = app.reads;
    await post(page, 'mine', context);
    await post(page, 'again', context);
    await shows(page, 'one mine again');
    await app.write('theirs');
    await shows(page, 'one mine again theirs');
    expect(app.reads).toBe(before + 1);
    expect(complaints).toEqual([]);
  });

  it('reads what another user wrote just before it', async (context) => {
    const { page } = await open();
    app.beforePublish = () => app.write('theirs');
    await post(page, 'mine', context);
    await shows(page, 'one mine theirs');
  });

  it('reads what another user wrote while it was not connected', async (context) => {
    const { page } = await open();
    await page.context().setOffline(true);
    await app.write('theirs');
    await page.context().setOffline(false);
    await post(page, 'mine', context);
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

  it('keeps what it wrote if the app then responds with older content', async (context) => {
    const { page } = await open();
    await app.stayBehind(1);
    await post(page, 'mine', context);
    await app.write('two');
    await shows(page, 'one mine two');
  });
});
