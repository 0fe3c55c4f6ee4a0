import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startLibraryApp } from '../support/library-page.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());

it("a browser's own EventSource reconnects after its relay was drained, and receives what it missed once", async () => {
  const port = String(await freePort());
  const relay: RelayFixture = await startRelay({ env: { RELAY_PORT: port } });
  const { page } = await openPage(browser, `${relay.http}/topics/a`);
  await page.evaluate(() => {
    const received: number[] = [];
    const events = new EventSource('/events?topic=a');
    events.addEventListener('subscribed', () => received.push(0));
    events.addEventListener('update', ({ data }) => received.push(JSON.parse(data).version));
    Object.assign(window, { received });
  });
  const received = () => page.evaluate(() => (window as unknown as { received: number[] }).received);
  await eventually(async () => expect(await received()).toEqual([0]));
  const one = await relay.publish('a');
  await eventually(async () => expect(await received()).toEqual([0, one]));
  const { broker } = relay;
  await relay.relay.stop();
  const two = await relay.publish('a');
  const next = await startRelay({ env: { RELAY_PORT: port }, broker });
  await eventually(async () => expect(await received()).toEqual([0, one, 0, two]));
  await page.context().close();
  await next.stop();
  await relay.stop();
});

interface Source extends EventTarget {
  readonly readyState: number;
}

/** Opens a stream in a page of another origin, by the class with this name, and returns what it receives. */
async function listen(page: Page, url: string, name = 'EventSource', options = {}): Promise<() => Promise<number[]>> {
  await page.evaluate(
    ([url, name, options]) => {
      const received: number[] = [];
      const Class = (window as unknown as Record<string, new (url: string, options: object) => Source>)[name];
      const events = new (Class as new (url: string, options: object) => Source)(url, options);
      events.addEventListener('subscribed', () => received.push(0));
      events.addEventListener('update', (event) => received.push(JSON.parse((event as MessageEvent).data).version));
      Object.assign(window, { received });
    },
    [url, name, options] as const,
  );
  return () => page.evaluate(() => (window as unknown as { received: number[] }).received);
}

it('event-source-polyfill, which resumes by a parameter of the URL, receives what it missed once', async () => {
  const port = String(await freePort());
  const relay = await startRelay({ env: { RELAY_PORT: port } });
  const app = await startLibraryApp({ relay: relay.http });
  const { page } = await openPage(browser, app.url);
  const polyfill = fileURLToPath(import.meta.resolve('event-source-polyfill/src/eventsource.min.js'));
  await page.addScriptTag({ path: polyfill });
  const received = await listen(page, `${relay.http}/events?topic=a&topic=b`, 'EventSourcePolyfill');
  await eventually(async () => expect(await received()).toEqual([0]));
  const one = await relay.publish('a');
  await eventually(async () => expect(await received()).toEqual([0, one]));
  const { broker } = relay;
  await relay.relay.stop();
  const two = await relay.publish('b');
  const next = await startRelay({ env: { RELAY_PORT: port }, broker });
  await eventually(async () => expect(await received()).toEqual([0, one, 0, two]));
  await page.context().close();
  await Promise.all([next.stop(), relay.stop(), app.stop()]);
});

it('pages of a listed origin may send cookies, and the headers of tracing and of libraries', async () => {
  const port = String(await freePort());
  const app = await startLibraryApp({ relay: `http://127.0.0.1:${port}` });
  const relay = await startRelay({ env: { RELAY_PORT: port, ALLOWED_ORIGINS: new URL(app.url).origin } });
  await relay.publish('a');
  const { page, complaints } = await openPage(browser, app.url);
  const received = await listen(page, `${relay.http}/events?topic=a`, 'EventSource', { withCredentials: true });
  await eventually(async () => expect(await received()).toEqual([0]));
  const status = await page.evaluate(async (url) => {
    const headers = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1',
      baggage: 'a=1',
      'sentry-trace': '0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1',
      'cache-control': 'no-cache',
      'HX-Request': 'true',
      'HX-Current-URL': location.href,
      'x-datadog-trace-id': '1',
      authorization: '',
    };
    return (await fetch(url, { headers, credentials: 'include' })).status;
  }, `${relay.http}/topics/a`);
  expect(status).toBe(200);
  expect(complaints).toEqual([]);
  await page.context().close();
  await Promise.all([relay.stop(), app.stop()]);
});
