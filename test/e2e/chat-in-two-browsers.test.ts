import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser, type WatchedPage } from '../support/browser.ts';
import { ChatPage } from '../support/chat-page.ts';
import { eventually } from '../support/eventually.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

/** Longer than the interval at which a page polls while it is not live. */
const LONGER_THAN_POLLING_MS = 31_000;

let browser: Browser;
let service: ServiceProcess;
let url: string;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());

beforeEach(async () => {
  service = await startService('standalone', {});
  url = `http://localhost:${service.port}/`;
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  expect(await service.stop()).toBe(0);
});

async function open(options: Parameters<typeof openPage>[2] = {}): Promise<WatchedPage & { chat: ChatPage }> {
  const watched = await openPage(browser, url, options);
  return { ...watched, chat: new ChatPage(watched.page) };
}

const fetches = ({ requests }: WatchedPage) => requests.filter((request) => request.startsWith('GET /comments'));

describe('the chat in two browsers', () => {
  it('shows in one what is written in the other, at once, with one fetch of the new comments', async () => {
    const [one, two] = [await open(), await open()];
    await one.chat.hasStatus('live');
    await two.chat.hasStatus('live');
    expect(await two.page.textContent('#status')).toBe('Live');
    expect(await two.page.isVisible('.empty')).toBe(true);

    await one.chat.write('Ada', 'Hello');
    await two.chat.shows(['Hello'], 3000);
    await one.chat.shows(['Hello'], 3000);
    expect(await two.page.isVisible('.empty')).toBe(false);
    await eventually(async () => expect(await one.page.inputValue('#text')).toBe(''));
    expect(await one.page.evaluate(() => document.activeElement?.id)).toBe('text');

    await two.chat.write('Grace', 'Hello, Ada');
    await one.chat.shows(['Hello, Ada', 'Hello']);
    await two.chat.shows(['Hello, Ada', 'Hello']);
    const first = await one.page.locator('.comment').last().getAttribute('data-id');
    await eventually(() => {
      expect(fetches(one).at(-1)).toBe(`GET /comments?after=${first}`);
      expect(fetches(two).at(-1)).toBe(`GET /comments?after=${first}`);
    });
    expect([...one.complaints, ...two.complaints]).toEqual([]);
  });

  it('fetches nothing while no comment is written', async () => {
    const writer = await open();
    await writer.chat.write('Ada', 'one');
    await writer.chat.shows(['one']);
    const reader = await open({ prepare: (page) => page.clock.install() });
    await reader.chat.hasStatus('live');
    await reader.page.clock.fastForward(LONGER_THAN_POLLING_MS);
    await writer.chat.write('Ada', 'two');
    await reader.chat.shows(['two', 'one']);
    expect(fetches(reader)).toHaveLength(1);
  });

  it('misses no comment between rendering and connecting', async () => {
    const writer = await open();
    await writer.chat.write('Ada', 'one');
    await writer.chat.shows(['one']);
    // The page is rendered with one comment; its script loads only after a second one is written.
    const reader = await open({
      prepare: (page) =>
        page.route('**/client.js', async (route) => {
          await writer.chat.write('Ada', 'two');
          await writer.chat.shows(['two', 'one']);
          await route.continue();
        }),
    });
    await reader.chat.shows(['two', 'one']);
    // And a page that has all comments gets no update.
    const late = await open();
    await late.chat.hasStatus('live');
    await late.chat.write('Ada', 'three');
    await late.chat.shows(['three', 'two', 'one']);
    await eventually(() => expect(fetches(late)).toHaveLength(1));
  });

  it('shows any name and comment as text', async () => {
    const [one, two] = [await open(), await open()];
    const [name, text] = ['<img src=x onerror=alert(1)>', '</p><script>alert(2)</script>\n  two  spaces & "quotes"'];
    for (const { page } of [one, two]) page.on('dialog', () => expect.unreachable('a script of a comment ran'));
    await one.page.fill('#name', name);
    await one.page.fill('#text', text);
    await one.page.click('button');
    await two.chat.shows([text]);
    const reloaded = await open();
    for (const { page, chat, complaints } of [one, two, reloaded]) {
      await chat.shows([text]);
      expect(await page.textContent('.comment .name')).toBe(name);
      expect(await page.locator('.comment img, .comment script').count()).toBe(0);
      expect(complaints).toEqual([]);
    }
  });

  it('shows at the form why a comment is rejected, and keeps its text', async () => {
    const { page, chat } = await open();
    await chat.write('Ada', '\u200b');
    await eventually(async () => expect(await page.textContent('#error')).toBe('Your comment is empty.'));
    expect(await page.inputValue('#text')).toBe('\u200b');
    await chat.write('Ada', 'Hello');
    await chat.shows(['Hello']);
    expect(await page.textContent('#error')).toBe('');
  });

  it('starts a new line with Shift+Enter, and remembers the name', async () => {
    const { page, chat } = await open();
    await page.fill('#name', 'Ada');
    await page.fill('#text', 'one');
    await page.press('#text', 'Shift+Enter');
    await page.keyboard.type('two');
    await page.press('#text', 'Enter');
    await chat.shows(['one\ntwo']);
    await eventually(async () => expect(await page.inputValue('#text')).toBe(''));
    await page.reload();
    await eventually(async () => expect(await page.inputValue('#name')).toBe('Ada'));
  });

  it('accepts and shows comments without JavaScript', async () => {
    const reader = await open();
    await reader.chat.hasStatus('live');
    const { page, chat, complaints } = await open({ javaScriptEnabled: false });
    expect(await page.isVisible('noscript p')).toBe(true);
    await page.fill('#name', 'Ada');
    await page.fill('#text', 'Hello');
    await page.click('button');
    await chat.shows(['Hello']);
    await reader.chat.shows(['Hello']);
    expect(await page.inputValue('#name')).toBe('Ada');
    expect(complaints).toEqual([]);
  });

  it('can be used by keyboard and by screen reader', async () => {
    const { page, chat } = await open();
    await chat.hasStatus('live');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Ada');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Hello');
    await page.keyboard.press('Tab');
    expect(
      await page.getByRole('button', { name: 'Send' }).evaluate((button) => button.matches(':focus-visible')),
    ).toBe(true);
    await page.keyboard.press('Space');
    await chat.shows(['Hello']);
    expect(await page.getByRole('textbox', { name: 'Your name' }).inputValue()).toBe('Ada');
    expect(await page.getByRole('textbox', { name: 'Your comment' }).count()).toBe(1);
    expect(await page.getByRole('log', { name: 'Newest comments' }).textContent()).toContain('Hello');
    expect(await page.getByRole('status').first().textContent()).toBe('Live');
    expect(await page.getByRole('heading', { level: 1, name: 'Heliograph chat' }).count()).toBe(1);
  });

  it('fits a small phone, and respects reduced motion', async () => {
    const { page, chat } = await open({ viewport: { width: 320, height: 600 }, reducedMotion: 'reduce' });
    await chat.write('x'.repeat(40), 'y'.repeat(1000));
    await chat.shows(['y'.repeat(1000)]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    expect(await page.locator('.comment').evaluate((comment) => getComputedStyle(comment).animationName)).toBe('none');
  });
});
