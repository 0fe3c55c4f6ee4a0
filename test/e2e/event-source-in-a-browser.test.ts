import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
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
  await eventually(async () => expect(await received()).toEqual([0, one, 0, two]), 15_000);
  await page.context().close();
  await next.stop();
  await relay.stop();
}, 60_000);
