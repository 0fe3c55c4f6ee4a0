import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser, type WatchedPage } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { runShell } from '../support/run-shell.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { STATS_TOKEN } from '../support/stats-cluster.ts';
import { JWT_SECRET, signToken, WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

let browser: Browser;
let service: ServiceProcess;
let url: string;
const clients: WsClient[] = [];

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
  service = await startService('standalone', {
    STATS_TOKEN,
    WEBHOOK_TOKENS: WEBHOOK_TOKEN,
    WEBHOOK_SECRETS: `${WEBHOOK_SECRET}@signed/*`,
    SUBSCRIBE_AUTH: 'optional',
    PRIVATE_TOPICS: 'private',
    JWT_SECRET,
    DRAIN_WINDOW: '0s',
  });
  url = `http://localhost:${service.adminPort}/stats/developers`;
  const many = Array.from({ length: 30 }, (_, n) => `topic=many/${n}`).join('&');
  for (const query of [many, 'topic=chat', 'topic=chat']) {
    clients.push(await WsClient.open(`ws://127.0.0.1:${service.ports.relay}/ws?${query}`));
  }
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});
afterAll(async () => {
  for (const client of clients) client.terminate();
  await browser?.close();
  await service?.stop('SIGKILL');
});

async function open(options: Parameters<typeof openPage>[2] = {}, query = ''): Promise<WatchedPage> {
  const watched = await openPage(browser, url + query, options);
  await watched.page.fill('#token', STATS_TOKEN);
  await watched.page.press('#token', 'Enter');
  await watched.page.waitForSelector('h1:has-text("Developers")');
  return watched;
}

async function publish(page: Page, call: { topic: string; data?: string; credential: string }): Promise<string> {
  await page.fill('#publish-topic', call.topic);
  await page.fill('#data', call.data ?? '');
  await page.fill('#credential', call.credential);
  await page.click('#publish-form button');
  return page.innerText('#answer');
}

const rows = (page: Page) => page.locator('section:has(#topics) tbody tr');

describe('the page for developers', () => {
  it('requires the token of the statistics, which by itself only reads', async () => {
    const form = new URLSearchParams({ topic: 'chat', data: '', credential: STATS_TOKEN });
    const call = { method: 'POST', body: form };
    expect((await fetch(url)).status).toBe(401);
    const allowed = new URLSearchParams({ topic: 'chat', data: '', credential: WEBHOOK_TOKEN });
    expect((await fetch(`${url}/publish`, { method: 'POST', body: allowed })).status).toBe(401);
    const headers = { authorization: `Bearer ${STATS_TOKEN}` };
    const refused = await fetch(`${url}/publish`, { ...call, headers });
    expect([refused.status, (await refused.json()).code]).toEqual([401, 'unauthorized']);
    const elsewhere = { ...headers, origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' };
    expect((await fetch(`${url}/publish`, { ...call, headers: elsewhere })).status).toBe(403);
    expect((await fetch(`${url}?format=json`, { headers })).status).toBe(200);
  });

  it('lists topics with subscribers: sorted, searched and in pages', async () => {
    const { page, complaints } = await open();
    await eventually(async () => {
      await page.reload();
      expect((await rows(page).allInnerTexts())[0]?.split(/\s+/).slice(0, 3)).toEqual(['chat', '2', '1']);
    });
    expect(await rows(page).count()).toBe(25);
    expect(await page.innerText('.pager')).toMatch(/31 topics of 1 relay\s+Page 1 of 2 Next/);
    await page.click('.pager a:has-text("Next")');
    await eventually(async () => expect(await rows(page).count()).toBe(6));
    await page.fill('#search', 'many/2');
    await page.press('#search', 'Enter');
    await eventually(async () => expect(await rows(page).count()).toBe(11));
    await page.getByRole('columnheader', { name: 'Topic' }).getByRole('link').click();
    await eventually(async () => expect(await rows(page).first().innerText()).toContain('many/2'));
    expect(page.url()).toMatch(/search=many%2F2.*topics=topic/);
    await page.fill('#search', 'nothing-like-this');
    await page.press('#search', 'Enter');
    await eventually(async () => {
      expect(await page.innerText('section:has(#topics) .empty')).toBe(
        'No topic with a subscriber contains this text.',
      );
    });
    expect(complaints).toEqual([]);
  });

  it('publishes with a token or a secret, as the webhook permits, and shows its answer', async () => {
    const { page, complaints } = await open();
    const answers = async (call: Parameters<typeof publish>[1], pattern: RegExp) => {
      await publish(page, call);
      await eventually(async () => expect(await page.innerText('#answer')).toMatch(pattern));
    };
    await answers({ topic: 'chat', data: '{"a":1}', credential: WEBHOOK_TOKEN }, /^200 .*"topic": "chat"/s);
    await answers({ topic: 'signed/1', credential: WEBHOOK_SECRET }, /^200 .*"topic": "signed\/1"/s);
    await answers({ topic: 'chat', credential: WEBHOOK_SECRET }, /^403 .*topic_forbidden/s);
    await answers({ topic: 'chat', credential: 'wrong \u00e4' }, /^401 .*unauthorized/s);
    await answers({ topic: 'a b', credential: WEBHOOK_TOKEN }, /^400 .*invalid_topic/s);
    await answers({ topic: 'chat', data: 'no JSON', credential: WEBHOOK_TOKEN }, /^400 .*invalid_json.*needs quotes/s);
    expect(complaints.filter((text) => !/status of 40[013]/.test(text))).toEqual([]);
    // The credential is in no log.
    for (const secret of [WEBHOOK_TOKEN, WEBHOOK_SECRET, 'wrong']) expect(service.log()).not.toContain(secret);
    await page.reload();
    await eventually(async () => {
      await page.reload();
      expect((await rows(page).allInnerTexts())[0]).toMatch(/^chat\s+2\s+1\s+\d{16}\s+\d/);
    });
  });

  it.each(['', 'websocket', 'sse', 'longpoll'])(
    'streams a topic live by the library, transport "%s"',
    async (transport) => {
      const { page, complaints } = await open();
      await page.selectOption('#transport', transport);
      await page.click('#connect');
      await eventually(async () => expect(await page.innerText('#stream-status')).toBe('live'));
      await eventually(async () => expect(await page.innerText('#events')).toContain('subscribed: current version'));
      await publish(page, { topic: 'chat', data: '{"hello":"there"}', credential: WEBHOOK_TOKEN });
      await eventually(async () => expect(await page.innerText('#events')).toMatch(/update: version \d{16} .*hello/));
      await page.click('#connect');
      expect(await page.innerText('#stream-status')).toBe('disconnected');
      expect(complaints).toEqual([]);
    },
  );

  it("streams a private topic with a subscriber's token only", async () => {
    const { page } = await open({}, '?topic=private');
    await page.click('#connect');
    await eventually(async () =>
      expect(await page.innerText('#events')).toMatch(/error: (unauthorized|topic_forbidden)/),
    );
    await page.click('#connect');
    await page.fill('#subscriber-token', await signToken({ topics: ['private'] }));
    await page.click('#connect');
    await eventually(async () => expect(await page.innerText('#events')).toContain('subscribed: current version'));
  });

  it('has examples for every connection with the addresses of this host, which work as they are', async () => {
    const { page, complaints } = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
    const relay = `http://localhost:${service.ports.relay}`;
    expect(await page.inputValue('#relay')).toBe(relay);
    expect(await page.inputValue('#webhook')).toBe(`http://localhost:${service.ports.webhook}`);
    const example = (id: string) => page.innerText(`#${id}-code`);
    const published = await runShell(`WEBHOOK_TOKEN=${WEBHOOK_TOKEN}; ${await example('curl')}`);
    expect(JSON.parse(published)).toMatchObject({ updates: [{ topic: 'chat' }] });
    expect(await runShell(await example('long-poll'))).toMatch(/200 OK.*"version":\d{16}/s);
    const script = `<script type="module">${await example('websocket')}\n${await example('sse')}</script>`;
    const app = await page.context().newPage();
    const logged: string[] = [];
    app.on('console', (message) => void logged.push(message.text()));
    const body = `${script}${await example('library')}`;
    const server = createServer((_request, response) => void response.setHeader('content-type', 'text/html').end(body));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    await app.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    await eventually(async () => {
      await runShell(`WEBHOOK_TOKEN=${WEBHOOK_TOKEN}; ${await example('curl')}`);
      // WebSocket and EventSource log the message, the library its topic and version.
      const versions = logged.flatMap((line) => line.match(/\d{16}/) ?? []);
      const complete = versions.find((version) => versions.filter((other) => other === version).length === 3);
      expect(logged).toContain(`chat ${complete}`);
    });
    await app.close();
    server.close();
    await page.fill('#relay', 'https://push.example.org/');
    await page.fill('#topic', 'orders/1');
    expect(await example('library')).toContain("new Heliograph('https://push.example.org', { topics: ['orders/1'] })");
    expect(await example('websocket')).toContain("'wss://push.example.org/ws?topic=orders/1'");
    expect(await page.getAttribute('a[data-template="{relay}/asyncapi.json"]', 'href')).toBe(
      'https://push.example.org/asyncapi.json',
    );
    await page.click('button[data-copies="command-line-code"]');
    await eventually(async () =>
      expect(await page.innerText('button[data-copies="command-line-code"]')).toBe('Copied'),
    );
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      'npx heliograph listen orders/1 --url https://push.example.org',
    );
    expect(complaints).toEqual([]);
  });

  it('works without JavaScript: topics, examples, and publishing', async () => {
    const { page } = await open({ javaScriptEnabled: false }, '?topic=news');
    expect(await page.innerText('#curl-code')).toContain('/webhook/news');
    expect(await page.locator('.copy').first().isVisible()).toBe(false);
    await page.fill('#publish-topic', 'news');
    await page.fill('#credential', WEBHOOK_TOKEN);
    await page.click('#publish-form button');
    expect(await page.innerText('body')).toContain('"topic":"news"');
  });

  it('runs only its own scripts', async () => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${STATS_TOKEN}`, accept: 'text/html' } });
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(await response.text()).not.toMatch(/<script>| on[a-z]+=|style=/);
  });
});
