import { BlockList } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { SYSTEM_CLOCK } from '../../services/shared/clock.ts';
import { createHttpServer, type HttpServer } from '../../services/shared/http/http-server.ts';
import { createLogger } from '../../services/shared/logger.ts';
import { createStatsApp } from '../../services/stats/pages/app.ts';
import { MemoryStatsStore } from '../../services/stats/store/memory-stats-store.ts';
import { openPage, startBrowser } from '../support/browser.ts';

const TOKEN = 'token';
const HOSTILE = [
  '<script>window.broken = true</script>',
  '<img src=x onerror="window.broken = true">',
  "\"><svg onload='window.broken = true'>",
  "' onfocus=window.broken=true autofocus x='",
  '</title></style></textarea><script>window.broken = true</script>',
  '&lt;script&gt; {{7*7}} &amp;',
  '\u202eright to left\u0000\u2028',
];
const ID = '0af7651916cd43dd8448eb211c80319c';

let browser: Browser;
let server: HttpServer;
let url: string;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
  const store = new MemoryStatsStore();
  const all = HOSTILE.join(' ');
  const times = { startUs: Date.now() * 1000, durationUs: 5000 };
  const spans = HOSTILE.map((text, i) => ({
    id: `${text} ${i}`,
    parent: i === 0 ? '' : `${HOSTILE[0]} 0`,
    service: text,
    name: text,
    kind: i === 0 ? 'server' : 'client',
    ...times,
    error: text,
    attributes: { topic: text, 'url.path': text, [text]: text },
  }));
  const calls = HOSTILE.flatMap((text) =>
    ['server', 'client'].map((kind) => ({
      ...{ service: text, name: text, kind, count: 1, errors: 1, sumMs: 1, maxMs: 1 },
      buckets: { [text]: 1, 5: 1 },
    })),
  );
  const skew = { skewUs: 1, uncertainUs: 1 };
  await store.write({
    process: all,
    record: JSON.stringify({
      ...{ process: all, services: HOSTILE, host: all, pid: 1, startedAtMs: 0, ...skew },
      facts: { fresh: all, connections: all, topics: HOSTILE[0] },
      topicLists: {
        '': { topics: HOSTILE.map((topic) => ({ topic, subscribers: 1, version: 1 })), matching: 100 },
      },
    }),
    calls: new Map([[Math.floor(Date.now() / 60_000), JSON.stringify(calls)]]),
    parts: [{ traceId: ID, text: JSON.stringify({ process: all, ...skew, spans }) }],
    wanted: [],
  });
  const logger = createLogger({ name: 'tests', level: 'silent' });
  const handler = createStatsApp({
    token: TOKEN,
    trustedProxies: new BlockList(),
    relayUrl: undefined,
    addresses: () => ({}),
    store,
    clock: SYSTEM_CLOCK,
    logger,
  });
  server = createHttpServer({ handler, host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${await server.start()}/stats`;
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

it('names, paths, errors and attributes are shown as text', async () => {
  const query = new URLSearchParams({ topic: HOSTILE[0] ?? '', path: HOSTILE[2] ?? '' });
  const headers = { authorization: `Bearer ${TOKEN}` };
  for (const path of [
    '',
    '/developers',
    `/developers?${new URLSearchParams({ search: HOSTILE[0] ?? '', topic: HOSTILE[1] ?? '' })}`,
    `?${query}`,
    `/traces/${ID}`,
    `/login?next=${encodeURIComponent(`/stats?${HOSTILE[1]}`)}`,
    `/${HOSTILE[0]}`,
  ]) {
    const { page, complaints } = await openPage(browser, 'about:blank', { extraHTTPHeaders: headers });
    await page.goto(url + path);
    for (const line of await page.locator('summary').all()) await line.click();
    expect(await page.evaluate(() => (window as { broken?: boolean }).broken), path).toBeUndefined();
    expect(await page.locator('script').count(), path).toBe(path.startsWith('/developers') ? 2 : 1);
    expect(await page.locator('img[src="x"], [onerror], [onload], [onfocus]').count(), path).toBe(0);
    expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
    await page.context().close();
  }
  const { page } = await openPage(browser, 'about:blank', { extraHTTPHeaders: headers });
  await page.goto(`${url}/traces/${ID}`);
  const shown = await page.locator('.span .name bdi').allTextContents();
  // HTML cannot contain U+0000: browsers drop it.
  expect(shown.sort()).toEqual(HOSTILE.map((text) => text.replace('\u0000', '')).sort());
});
