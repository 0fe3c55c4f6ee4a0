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

/** Longer than the interval at which a page polls while it is not live. */
const LONGER_THAN_POLLING_MS = 31_000;
/** Gives a page a virtual clock. */
const VIRTUAL_CLOCK = { prepare: (page: Page) => page.clock.install() };

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

async function startProxy(target: number, port?: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(target, port);
  ends.push(() => proxy.stop());
  return proxy;
}

/** Starts a chat whose browsers reach the relay through a proxy that can be stopped. */
async function startBehindProxy() {
  const relayPort = await freePort();
  const relayProxy = await startProxy(relayPort);
  const { port } = relayProxy;
  const service = await start({ RELAY_PORT: String(relayPort), RELAY_PUBLIC_URL: `http://localhost:${port}` });
  return {
    url: `http://localhost:${service.port}/`,
    stopProxy: async () => {
      await relayProxy.stop();
      ends.splice(0, 1);
    },
    restartProxy: () => startProxy(relayPort, port),
  };
}

async function open(
  url: string,
  options: Parameters<typeof openPage>[2] = {},
): Promise<WatchedPage & { chat: ChatPage }> {
  const watched = await openPage(browser, url, options);
  return { ...watched, chat: new ChatPage(watched.page) };
}

/** Returns the complaints other than failed requests to a server that is down. */
const unexpected = ({ complaints }: WatchedPage) => complaints.filter((text) => !/net::ERR_/.test(text));

describe('a chat whose relay cannot be reached', () => {
  it('shows offline, polls, and catches up when the relay is back', async () => {
    const { url, stopProxy, restartProxy } = await startBehindProxy();
    const [writer, reader] = [await open(url, VIRTUAL_CLOCK), await open(url, VIRTUAL_CLOCK)];
    await writer.chat.hasStatus('live');
    await reader.chat.hasStatus('live');
    await stopProxy();
    await reader.chat.hasStatus('offline');
    expect(await reader.page.textContent('#status')).toBe('Offline: reconnecting');

    await writer.chat.write('Ada', 'one');
    await writer.chat.shows(['one']);
    expect(await reader.chat.texts()).toEqual([]);
    await reader.page.clock.fastForward(LONGER_THAN_POLLING_MS);
    await reader.chat.shows(['one']);

    await writer.chat.write('Ada', 'two');
    await writer.chat.shows(['two', 'one']);
    await restartProxy();
    await reader.chat.reconnects(LONGER_THAN_POLLING_MS);
    await reader.chat.shows(['two', 'one']);
    expect(await reader.page.textContent('#log')).toMatch(/connection: live.*connection: offline.*connection: live/s);
    await writer.chat.reconnects(LONGER_THAN_POLLING_MS);
    await reader.chat.write('Grace', 'three');
    await writer.chat.shows(['three', 'two', 'one']);
    expect([...unexpected(writer), ...unexpected(reader)]).toEqual([]);
  });

  it('becomes live also if the page was opened before the relay started', async () => {
    const { url, stopProxy, restartProxy } = await startBehindProxy();
    await stopProxy();
    const { chat } = await open(url, VIRTUAL_CLOCK);
    await chat.hasStatus('offline');
    await chat.write('Ada', 'one');
    await chat.shows(['one']);
    await restartProxy();
    await chat.reconnects(LONGER_THAN_POLLING_MS);
  });
});

describe('a chat whose relay is stale', () => {
  it('shows it, accepts comments with a notice, and is live again afterwards', async () => {
    const redisProxy = await startProxy(Number(new URL(inject('redisUrl')).port || 6379));
    const service = await start({
      REDIS_URL: `redis://localhost:${redisProxy.port}`,
      REDIS_TIMEOUT: '300ms',
      REPAIR_INTERVAL: '200ms',
      WEBHOOK_TIMEOUT: '1s',
      HELIOGRAPH_PREFIX: randomPrefix(),
    });
    const url = `http://localhost:${service.port}/`;
    const [one, two] = [await open(url), await open(url)];
    await one.chat.hasStatus('live');
    await two.chat.hasStatus('live');
    redisProxy.set('swallows');
    await two.chat.hasStatus('stale');
    expect(await two.page.textContent('#status')).toBe('Stale: updates may be late');
    await one.chat.write('Ada', 'Hello');
    await one.chat.shows(['Hello'], 1500);
    await eventually(async () =>
      expect(await one.page.textContent('#notice')).toContain('the webhook does not answer'),
    );
    expect(await two.chat.texts()).toEqual([]);
    redisProxy.set('passes');
    await two.chat.hasStatus('live', 10_000);
    await two.chat.shows(['Hello'], 15_000);
    await eventually(async () => expect(await one.page.textContent('#notice')).toBe(''));
    expect([...one.complaints, ...two.complaints]).toEqual([]);
  });
});

describe('a chat that is restarted completely', () => {
  it('keeps its comments and the drafts of open pages, which reconnect', async () => {
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
    const { page, chat: opened } = await open(`http://localhost:${chat}/`, VIRTUAL_CLOCK);
    await opened.hasStatus('live');
    await opened.write('Ada', 'before');
    await opened.shows(['before']);
    await eventually(async () => expect(await page.inputValue('#text')).toBe(''));
    expect(await first.stop()).toBe(0);
    await opened.hasStatus('offline');
    await opened.write('Ada', 'meanwhile');
    await eventually(async () => expect(await page.textContent('#error')).toMatch(/^The chat cannot be reached/));
    expect(await page.inputValue('#text')).toBe('meanwhile');

    await start(env);
    await opened.reconnects(LONGER_THAN_POLLING_MS);
    await page.click('button');
    await opened.shows(['meanwhile', 'before']);
    const { chat: later } = await open(`http://localhost:${chat}/`);
    await later.shows(['meanwhile', 'before']);
  });
});
