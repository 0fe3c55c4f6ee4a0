import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser, type WatchedPage } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { STATS_TOKEN, type StatsCluster, startStatsCluster } from '../support/stats-cluster.ts';

const RELAYS = 3;

let browser: Browser;
let cluster: StatsCluster;
let url: string;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
  cluster = await startStatsCluster({ redisUrl: inject('redisUrl'), relays: RELAYS, env: { STATS_SAMPLE_RATE: '1' } });
  url = `http://localhost:${cluster.webhook.adminPort}/stats`;
  for (const text of ['one', 'two']) await cluster.write(text);
  // Complete traces: 5 spans of the chat and the webhook, 3 of Redis, and 3 of each relay.
  await eventually(async () => {
    const { traces } = await cluster.json('/stats');
    expect(traces.map(({ spans }: { spans: number }) => spans)).toEqual([8 + 3 * RELAYS, 8 + 3 * RELAYS]);
  });
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});

async function logIn(options: Parameters<typeof openPage>[2] = {}): Promise<WatchedPage> {
  const watched = await openPage(browser, url, options);
  await watched.page.fill('#token', STATS_TOKEN);
  await watched.page.press('#token', 'Enter');
  await watched.page.waitForSelector('.tiles');
  return watched;
}

async function openTrace(options: Parameters<typeof openPage>[2] = {}): Promise<WatchedPage> {
  const watched = await logIn(options);
  await watched.page.click('.trace >> nth=0');
  await watched.page.waitForSelector('.waterfall');
  return watched;
}

describe('the statistics pages in a browser', () => {
  it('show after a login where the time of an update went, over all relays', async () => {
    const { page, complaints } = await logIn();
    expect(await page.title()).toBe('Call statistics · Heliograph');
    const tiles = await page.locator('.tiles').innerText();
    expect(tiles).toMatch(/Relays\s+3\s+all fresh/);
    expect(tiles).toMatch(/Connections\s+3\s/);
    const requests = await page.locator('section:has(#requests) tbody').innerText();
    expect(requests).toMatch(/chat POST \/comments\s+2\s+0\s+0\s/);
    expect(requests).toMatch(/webhook POST \/webhook\s+2\s+0\s+0\s/);
    const calls = await page.locator('section:has(#calls) tbody').innerText();
    for (const call of ['redis publish', 'redis load response', 'relay deliver', 'relay digest', 'chat save']) {
      expect(calls).toContain(call);
    }
    const processes = page.locator('section:has(#processes) tbody tr');
    expect(await processes.count()).toBe(RELAYS + 2);
    expect(await processes.filter({ hasText: 'fresh' }).count()).toBe(RELAYS);

    await page.click('.trace:has-text("chat POST /comments")');
    await page.waitForSelector('.waterfall');
    expect(await page.locator('h1').innerText()).toMatch(/chat POST \/comments chat/);
    const owners = await page.locator('.lane .owner strong').allInnerTexts();
    expect(owners).toEqual(['chat', 'webhook', 'redis', 'relay', 'relay', 'relay']);
    for (const skew of await page.locator('.lane .skew').allInnerTexts()) {
      expect(skew).toMatch(/^clock [+−][\d.]+ [µm]?s ± [\d.]+ [µm]?s$/);
    }
    expect(complaints).toEqual([]);
  });

  it('place every bar correctly: children within their parent, relays after Redis', async () => {
    const { page } = await openTrace();
    const boxOf = async (lane: number, row: number) => {
      const box = await page.locator('.lane').nth(lane).locator('svg.bar rect').nth(row).boundingBox();
      return box ?? expect.unreachable('the bar is missing');
    };
    const [request, save, call] = [await boxOf(0, 0), await boxOf(0, 1), await boxOf(0, 2)];
    for (const child of [save, call]) {
      expect(child.x).toBeGreaterThanOrEqual(request.x - 3);
      expect(child.x + child.width).toBeLessThanOrEqual(request.x + request.width + 3);
    }
    expect(call.x).toBeGreaterThan(save.x);
    // Within the uncertainty of the clocks, which the page shows too.
    const { lanes, wholeUs } = await cluster.json(new URL(page.url()).pathname);
    const axis = (await page.locator('svg.bar').first().boundingBox()) ?? expect.unreachable('the axis is missing');
    const publish = await boxOf(2, 1);
    for (const lane of [3, 4, 5]) {
      const uncertainty = ((lanes[2].uncertainUs + lanes[lane].uncertainUs) / wholeUs) * axis.width;
      expect((await boxOf(lane, 0)).x).toBeGreaterThan(publish.x - uncertainty);
    }
    // Every bar is visible, however short.
    for (const bar of await page.locator('svg.bar rect').all()) {
      expect((await bar.boundingBox())?.height).toBeGreaterThan(8);
    }
  });

  it('show the details of a bar on hover and by keyboard', async () => {
    const { page, complaints } = await openTrace();
    const publish = page.locator('.lane').nth(2).locator('summary').nth(1);
    expect(await publish.locator('.tip').isVisible()).toBe(false);
    await publish.hover();
    expect(await publish.locator('.tip').innerText()).toMatch(
      /publish after [\d.]+ [mµ]?s, for [\d.]+ [mµ]?s\s+topic chat\s+version \d{16}/,
    );
    await page.mouse.move(0, 0);

    const rows = page.locator('.lanes summary');
    await rows.first().focus();
    const focused = () => page.evaluate(() => document.activeElement?.querySelector('.name')?.textContent);
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toBe('save');
    await page.keyboard.press('End');
    expect(await focused()).toBe('deliver, websocket × 1');
    await page.keyboard.press('Home');
    expect(await focused()).toBe('POST /comments');
    for (let i = 0; i < 6; i += 1) await page.keyboard.press('ArrowDown');
    expect(await focused()).toBe('publish');
    expect(await publish.locator('.tip').isVisible()).toBe(true);
    await page.keyboard.press('Enter');
    const details = page.locator('.lane').nth(2).locator('details').nth(1);
    expect(await details.locator('.attributes').innerText()).toMatch(/kind\s+client\s+topic\s+chat\s+version\s+\d{16}/);
    await page.keyboard.press('Escape');
    expect(await details.locator('.attributes').isVisible()).toBe(false);
    expect(complaints).toEqual([]);
  });

  it('can be used by screen reader', async () => {
    const { page } = await openTrace();
    const main = await page.locator('main').ariaSnapshot();
    expect(main).toContain('heading "chat POST /comments chat" [level=1]');
    expect(main).toContain('region "Timeline"');
    expect(main).toMatch(/publish [\d.]+ [mµ]?s ?, started after [\d.]+ [mµ]?s/);
    expect(await page.locator('.lanes').getAttribute('aria-describedby')).toBe('keys');
    await page.goBack();
    const dashboard = await page.locator('main').ariaSnapshot();
    for (const name of ['Requests, last 15 minutes', 'Traces', 'Calls made, and work of the relays', 'Processes']) {
      expect(dashboard).toContain(`region "${name}"`);
    }
    expect(dashboard).toMatch(/img "at most \d+ per minute; \d+ in the current one"/);
    for (const label of ['Topic', 'Path', 'Minimum ms', 'Order']) {
      expect(await page.getByLabel(label, { exact: true }).count(), label).toBe(1);
    }
    // Everything can be reached and left by keyboard alone.
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
  });

  it('work without JavaScript: log in, filter, open rows, log out', async () => {
    const { page, complaints } = await logIn({ javaScriptEnabled: false });
    await page.fill('#topic', 'no-such-topic');
    await page.click('.filter button');
    expect(await page.innerText('section:has(#traces)')).toContain('No trace matches.');
    expect(page.url()).toContain('topic=no-such-topic');
    await page.fill('#topic', 'cha');
    await page.selectOption('#sort', 'newest');
    await page.click('.filter button');
    expect(await page.locator('.trace').count()).toBe(2);
    await page.click('.trace >> nth=0');
    const save = page.locator('.lanes details', { hasText: 'sqlite' });
    expect(await save.locator('.attributes').isVisible()).toBe(false);
    await save.locator('summary').click();
    expect(await save.locator('.attributes').innerText()).toContain('sqlite');
    await page.click('text=Log out');
    expect(await page.locator('#token').isVisible()).toBe(true);
    await page.goto(url);
    expect(await page.locator('#token').isVisible()).toBe(true);
    expect(complaints).toEqual([]);
  });

  it.each([
    ['a desk', 1280, 900],
    ['a phone', 360, 780],
  ])('fit %s, light and dark', async (_, width, height) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, complaints } = await openTrace({ viewport: { width, height }, colorScheme });
      const overflows = () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      expect(await overflows()).toBe(false);
      await page.goto(url);
      expect(await overflows()).toBe(false);
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      expect(ground).toBe(colorScheme === 'dark' ? 'rgb(21, 18, 14)' : 'rgb(247, 243, 236)');
      expect(complaints).toEqual([]);
    }
  });

  it('sort each table by click and by keyboard, in place, and keep the order in the URL', async () => {
    const { page, complaints } = await logIn({ viewport: { width: 1280, height: 600 } });
    const table = page.locator('section:has(#calls)');
    const count = table.getByRole('columnheader', { name: 'Count' });
    const names = () => table.locator('tbody th').allInnerTexts();
    const counts = async () => (await table.locator('tbody td:nth-child(2)').allInnerTexts()).map(Number);
    expect(await count.getAttribute('aria-sort')).toBe('descending');
    await count.scrollIntoViewIfNeeded();
    const scrollY = await page.evaluate(() => window.scrollY);
    expect(scrollY).toBeGreaterThan(0);
    await count.getByRole('link').click();
    await eventually(async () => expect(await count.getAttribute('aria-sort')).toBe('ascending'));
    expect(await counts()).toEqual([...(await counts())].sort((one, other) => one - other));
    expect(await page.evaluate(() => window.scrollY)).toBe(scrollY);

    await table.getByRole('columnheader', { name: 'Call', exact: true }).getByRole('link').focus();
    await page.keyboard.press('Enter');
    const name = table.getByRole('columnheader', { name: 'Call', exact: true });
    await eventually(async () => expect(await name.getAttribute('aria-sort')).toBe('ascending'));
    expect(await count.getAttribute('aria-sort')).toBe(null);
    expect(await names()).toEqual([...(await names())].sort((one, other) => one.localeCompare(other)));
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Call');
    expect(new URL(page.url()).searchParams.get('calls')).toBe('name');
    await page.reload();
    expect(await name.getAttribute('aria-sort')).toBe('ascending');
    const processes = await page.locator('section:has(#processes)').getByRole('link').allInnerTexts();
    expect(processes).toContain('Clock skew');
    expect(complaints).toEqual([]);
  });

  it('link each request, and each number of refused calls, to the traces that contain it', async () => {
    const refused = await fetch(`http://127.0.0.1:${cluster.webhook.port}/webhook`, { method: 'POST' });
    expect(refused.status).toBe(401);
    const { page, complaints } = await logIn();
    const row = page.locator('section:has(#requests) tbody tr', { hasText: 'webhook POST /webhook' });
    await eventually(async () => {
      await page.reload();
      expect(await row.locator('.code').allInnerTexts()).toEqual(['401 unauthorized']); // does not wait for the next reload
    });
    await row.locator('th a').click();
    const traces = page.locator('.traces .what');
    await eventually(async () => expect(await traces.count()).toBeGreaterThanOrEqual(3));
    expect(await page.locator('.chip').innerText()).toContain('webhook POST /webhook');
    await row.locator('a.warn').click();
    await eventually(async () => expect(await traces.count()).toBe(1));
    expect(await traces.innerText()).toMatch(/webhook POST \/webhook\s+refused: 401 unauthorized/);
    expect(await page.getByLabel(/^Refused/).isChecked()).toBe(true);
    await traces.click();
    await page.waitForSelector('.waterfall');
    expect(await page.locator('.alert').innerText()).toBe('Refused: 401 unauthorized');
    expect(complaints).toEqual([]);
  });

  it('refresh automatically on request, with the filter, the order, the scroll position and what is being typed', async () => {
    const { page, complaints } = await logIn({ viewport: { width: 600, height: 500 } });
    await page.fill('#topic', 'cha');
    await page.click('.filter button');
    await page.waitForURL(/topic=cha/);
    await page.click('text=Refresh every 5 s');
    await page.waitForURL(/refresh=1/);
    const table = page.locator('section:has(#processes)');
    await table.getByRole('link', { name: 'Uptime' }).click();
    const uptime = table.getByRole('columnheader', { name: 'Uptime' });
    await eventually(async () => expect(await uptime.getAttribute('aria-sort')).toBe('descending'));
    const cell = page
      .locator('section:has(#requests) tbody tr', { hasText: 'chat POST /comments' })
      .locator('td:nth-child(2)');
    const before = await cell.innerText();
    await page.locator('section:has(#calls) .scroll').evaluate((element) => element.scrollTo({ left: 60 }));
    await page.fill('#path', 'not sent yet');
    const scrollY = await page.evaluate(() => window.scrollY);
    await cluster.write('three');
    await eventually(async () => expect(await cell.innerText()).not.toBe(before), 30_000);
    expect(await page.locator('#refreshed').innerText()).toMatch(/^Updated /);
    expect(await page.locator('section:has(#calls) .scroll').evaluate(({ scrollLeft }) => scrollLeft)).toBe(60);
    expect(await page.evaluate(() => window.scrollY)).toBe(scrollY);
    expect(await page.inputValue('#path')).toBe('not sent yet');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('path');
    expect(await uptime.getAttribute('aria-sort')).toBe('descending');
    expect(page.url()).toMatch(/topic=cha.*refresh=1.*processes=-uptime/);
    // The form keeps the order and the refresh.
    await page.click('.filter button');
    await page.waitForURL(/path=not\+sent\+yet/);
    expect(page.url()).toMatch(/processes=-uptime.*refresh=1/);
    expect(complaints).toEqual([]);
  });

  it('refresh automatically without JavaScript, with the same URL', async () => {
    const { page } = await logIn({ javaScriptEnabled: false });
    await page.goto(`${url}?refresh=1&calls=name&topic=cha`);
    expect(await page.locator('noscript meta[http-equiv="refresh"]').getAttribute('content')).toBe('5');
    const refreshed = page.waitForEvent('load');
    await refreshed;
    expect(page.url()).toBe(`${url}?refresh=1&calls=name&topic=cha`);
  });

  it('show the login form if the login ends while a page refreshes', async () => {
    const { page } = await logIn();
    await page.goto(`${url}?refresh=1`);
    await page.context().clearCookies();
    await page.waitForSelector('#token');
  });

  it('let wide tables scroll on a phone, and cut nothing', async () => {
    const { page } = await logIn({ viewport: { width: 390, height: 780 } });
    for (const id of ['requests', 'calls', 'processes']) {
      const table = page.locator(`section:has(#${id}) .scroll`);
      expect(await table.evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)).toBe(true);
      await table.focus();
      await page.keyboard.press('ArrowRight');
      await eventually(async () => expect(await table.evaluate(({ scrollLeft }) => scrollLeft)).toBeGreaterThan(0));
      const hidden = await table
        .locator('th, td')
        .evaluateAll((cells) =>
          cells
            .filter((cell) => cell.clientWidth === 0 || cell.scrollWidth > cell.clientWidth + 1)
            .map((cell) => cell.textContent),
        );
      expect(hidden).toEqual([]);
    }
  });
});
