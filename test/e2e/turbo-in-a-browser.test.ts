import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { startCommentsApp } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { readmeExample } from '../support/readme-example.ts';
import { startRelay } from '../support/relay-fixture.ts';

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
  const shows = (text: string) => eventually(async () => expect(await page.textContent('main')).toBe(text), 15_000);
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
}, 60_000);
