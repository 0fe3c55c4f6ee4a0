import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser, type WatchedPage } from '../support/browser.ts';
import { ChatPage } from '../support/chat-page.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/** Longer than any wait of the page between two fetches in its fallback. */
const A_WHILE_MS = 31_000;
/** A page whose time a test can let run fast. */
const FAST = { prepare: (page: Page) => page.clock.install() };

let browser: Browser;
let ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  for (const end of ends.reverse()) await end();
  ends = [];
});

async function start(env: Record<string, string>): Promise<ServiceProcess> {
  const service = await startService('standalone', env);
  ends.push(() => service.stop());
  return service;
}

async function link(target: number, port?: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(target, port);
  ends.push(() => proxy.stop());
  return proxy;
}

/** A chat whose browsers reach the relay over a link that can be taken away. */
async function startBehindLink() {
  const relayPort = await freePort();
  const relayLink = await link(relayPort);
  const { port } = relayLink;
  const service = await start({ RELAY_PORT: String(relayPort), RELAY_PUBLIC_URL: `http://localhost:${port}` });
  return {
    url: `http://localhost:${service.port}/`,
    takeAway: async () => {
      await relayLink.stop();
      ends.splice(0, 1);
    },
    giveBack: () => link(relayPort, port),
  };
}

async function open(
  url: string,
  options: Parameters<typeof openPage>[2] = {},
): Promise<WatchedPage & { chat: ChatPage }> {
  const watched = await openPage(browser, url, options);
  return { ...watched, chat: new ChatPage(watched.page) };
}

/** Complaints that are not about a server which is away. */
const others = ({ complaints }: WatchedPage) => complaints.filter((text) => !/net::ERR_/.test(text));

describe('a chat whose relay is gone', { timeout: 60_000 }, () => {
  it('says so, looks now and then, and once it is back is told what it missed', async () => {
    const { url, takeAway, giveBack } = await startBehindLink();
    const [writer, reader] = [await open(url, FAST), await open(url, FAST)];
    await writer.chat.is('live');
    await reader.chat.is('live');
    await takeAway();
    await reader.chat.is('offline');
    expect(await reader.page.textContent('#status')).toBe('Offline: trying again');

    await writer.chat.write('Ada', 'one');
    await writer.chat.shows(['one']);
    expect(await reader.chat.texts()).toEqual([]);
    await reader.page.clock.fastForward(A_WHILE_MS);
    await reader.chat.shows(['one']);

    await writer.chat.write('Ada', 'two');
    await writer.chat.shows(['two', 'one']);
    await giveBack();
    await reader.chat.comesBack(A_WHILE_MS);
    await reader.chat.shows(['two', 'one']);
    expect(await reader.page.textContent('#log')).toMatch(/connection: live.*connection: offline.*connection: live/s);
    await writer.chat.comesBack(A_WHILE_MS);
    await reader.chat.write('Grace', 'three');
    await writer.chat.shows(['three', 'two', 'one']);
    expect([...others(writer), ...others(reader)]).toEqual([]);
  });

  it('becomes live also where the page was opened before the relay came up', async () => {
    const { url, takeAway, giveBack } = await startBehindLink();
    await takeAway();
    const { chat } = await open(url, FAST);
    await chat.is('offline');
    await chat.write('Ada', 'one');
    await chat.shows(['one']);
    await giveBack();
    await chat.comesBack(A_WHILE_MS);
  });
});

describe('a chat whose relay cannot vouch for what it says', { timeout: 60_000 }, () => {
  it('says so, keeps comments, tells their authors, and is live again afterwards', async () => {
    const redisLink = await link(Number(new URL(inject('redisUrl')).port || 6379));
    const service = await start({
      REDIS_URL: `redis://localhost:${redisLink.port}`,
      REDIS_TIMEOUT: '300ms',
      REPAIR_INTERVAL: '200ms',
      WEBHOOK_TIMEOUT: '1s',
      HELIOGRAPH_PREFIX: randomPrefix(),
    });
    const url = `http://localhost:${service.port}/`;
    const [one, two] = [await open(url), await open(url)];
    await one.chat.is('live');
    await two.chat.is('live');
    redisLink.set('swallows');
    await two.chat.is('stale');
    expect(await two.page.textContent('#status')).toBe('Stale: news may come late');
    await one.chat.write('Ada', 'Hello');
    await one.chat.shows(['Hello'], 1500);
    await eventually(async () =>
      expect(await one.page.textContent('#notice')).toContain('the webhook does not answer'),
    );
    expect(await two.chat.texts()).toEqual([]);
    redisLink.set('passes');
    await two.chat.is('live', 10_000);
    await two.chat.shows(['Hello'], 15_000);
    await eventually(async () => expect(await one.page.textContent('#notice')).toBe(''));
    expect([...one.complaints, ...two.complaints]).toEqual([]);
  });
});

describe('a chat that is restarted as a whole', { timeout: 60_000 }, () => {
  it('keeps its comments, its open pages come back, and no words are lost meanwhile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-chat-'));
    ends.push(async () => rmSync(folder, { recursive: true }));
    const [relay, webhook, chat] = [await freePort(), await freePort(), await freePort()];
    const env = {
      RELAY_PORT: String(relay),
      WEBHOOK_PORT: String(webhook),
      CHAT_PORT: String(chat),
      CHAT_DB: join(folder, 'chat.db'),
    };
    const first = await startService('standalone', env);
    const { page, chat: opened } = await open(`http://localhost:${chat}/`, FAST);
    await opened.is('live');
    await opened.write('Ada', 'before');
    await opened.shows(['before']);
    await eventually(async () => expect(await page.inputValue('#text')).toBe(''));
    expect(await first.stop()).toBe(0);
    await opened.is('offline');
    await opened.write('Ada', 'meanwhile');
    await eventually(async () => expect(await page.textContent('#error')).toMatch(/^The chat cannot be reached/));
    expect(await page.inputValue('#text')).toBe('meanwhile');

    await start(env);
    await opened.comesBack(A_WHILE_MS);
    await page.click('button');
    await opened.shows(['meanwhile', 'before']);
    const { chat: later } = await open(`http://localhost:${chat}/`);
    await later.shows(['meanwhile', 'before']);
  });
});
