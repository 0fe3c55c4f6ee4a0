import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { bundlePage } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { readmeExample } from '../support/readme-example.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let browser: Browser;
let relay: RelayFixture;
let app: Server;
let html: string;
/** The app's content, and the number of requests for it. */
let comments: string;
let asked: number;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
beforeEach(async () => {
  relay = await startRelay();
  comments = 'one';
  asked = 0;
  app = createServer((request, response) => {
    if (request.url === '/') return void response.setHeader('content-type', 'text/html').end(html);
    if (request.url !== '/comments') return void response.writeHead(204).end();
    asked += 1;
    response.end(comments);
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  app.closeAllConnections();
  app.close();
  await relay.stop();
});

/** Opens a page with an example. */
async function show(body: string) {
  html = `<!doctype html><html lang="en"><title></title><main></main>${body.replaceAll('http://localhost:8080', relay.http)}`;
  const { page, complaints } = await openPage(browser, `http://127.0.0.1:${(app.address() as AddressInfo).port}/`);
  const main = () => page.textContent('main');
  return { page, complaints, main };
}

describe('the example of the page', () => {
  it('shows the content of the app, and again as soon as it changes', async () => {
    const { page, complaints, main } = await show(readmeExample('html', 'heliograph.watch'));
    await eventually(async () => expect(await main()).toBe('one'));
    await eventually(async () => expect(await page.title()).toBe('chat (live)'));
    const before = asked;
    comments = 'two';
    await relay.publish('chat');
    await eventually(async () => expect(await main()).toBe('two'));
    expect(asked).toBe(before + 1);
    expect(complaints).toEqual([]);
  });

  it('shows content that an update carries without a request, and requests it otherwise', async () => {
    const { main } = await show(`<script type="module">
      import { Heliograph } from '${relay.http}/client.js';
      const show = (data) => { document.querySelector('main').textContent = JSON.stringify(data); };
      const refresh = async () => show(await (await fetch('/comments')).text());
      ${readmeExample('js', 'if (data !== undefined)')}
    </script>`);
    await eventually(() => expect(relay.relay.hub.isFresh('price' as never)).toBe(true));
    await relay.publish('price', { data: { euro: 7 }, spread: 60_000 });
    await eventually(async () => expect(await main()).toBe('{"euro":7}'));
    expect(asked).toBe(0);
    await relay.publish('price', { spread: 20 });
    await eventually(async () => expect(await main()).toBe('"one"'));
  });

  it('for React shows the content of the app and the status', async () => {
    const script = await bundlePage(
      `${readmeExample('jsx', 'HeliographProvider')}
        import { StrictMode } from 'react';
        import { createRoot } from 'react-dom/client';
        createRoot(document.querySelector('main')).render(<StrictMode><App /></StrictMode>);`,
      relay.http,
    );
    const { page, complaints } = await show(`<script type="module">${script}</script>`);
    await eventually(async () => expect(await page.textContent('p')).toBe('one (live)'));
    comments = 'two';
    await relay.publish('chat');
    await eventually(async () => expect(await page.textContent('p')).toBe('two (live)'));
    expect(complaints).toEqual([]);
  });
});
