import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { STATS_TOKEN } from '../support/stats-cluster.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const BEARER = { authorization: `Bearer ${STATS_TOKEN}` };
/** Rules of WCAG 2.2 at levels A and AA, and best practices. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

let browser: Browser;
let service: ServiceProcess;
let client: WsClient;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
  const env = { STATS_TOKEN, STATS_SAMPLE_RATE: '1', WEBHOOK_TOKENS: WEBHOOK_TOKEN, DRAIN_WINDOW: '0s' };
  service = await startService('standalone', env);
  client = await WsClient.open(`ws://127.0.0.1:${service.ports.relay}/ws?topic=chat`);
  const publish = (token: string) =>
    fetch(`http://127.0.0.1:${service.ports.webhook}/webhook/chat`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
  await publish(WEBHOOK_TOKEN);
  await publish('wrong');
  // Pages with something of each kind: a refused request, traces, and topics.
  await eventually(async () => {
    const { refused, kept } = await (await fetch(`${admin()}/stats`, { headers: BEARER })).json();
    expect([refused, kept > 1]).toEqual([1, true]);
    const { listed } = await (await fetch(`${admin()}/stats/developers`, { headers: BEARER })).json();
    expect(listed).toBe(1);
  }, 15_000);
});
afterAll(async () => {
  client?.terminate();
  await browser?.close();
  await service?.stop('SIGKILL');
});

const admin = () => `http://127.0.0.1:${service.adminPort}`;
const at = (name: string) => `http://127.0.0.1:${service.ports[name]}/`;

/** Each page, and how to open it. */
const PAGES: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  'the root of the admin port': (page) => page.goto(admin()),
  'the root of a relay': (page) => page.goto(at('relay')),
  'the root of a webhook': (page) => page.goto(at('webhook')),
  'the chat': (page) => page.goto(at('chat')),
  'the login form': (page) => page.goto(`${admin()}/stats/login`),
  'call statistics': (page) => page.goto(`${admin()}/stats`),
  'refused traces': (page) => page.goto(`${admin()}/stats?refused=1&call=webhook%20POST%20/webhook/*topic&refresh=1`),
  'a trace': async (page) => {
    await page.goto(`${admin()}/stats`);
    await page.click('.trace >> nth=0');
    await page.click('.lanes summary >> nth=0');
  },
  'a missing trace': (page) => page.goto(`${admin()}/stats/traces/none`),
  'the page for developers': async (page) => {
    await page.goto(`${admin()}/stats/developers`);
    await page.fill('#credential', 'wrong');
    await page.click('#publish-form button');
    await page.click('#connect');
    await page.waitForSelector('#events li');
    await page.waitForSelector('#answer:not([hidden])');
  },
};

describe.each([
  [1280, 'light'],
  [1280, 'dark'],
  [390, 'light'],
  [390, 'dark'],
] as const)('%i pixels wide, in %s colours', (width, colorScheme) => {
  it.each(Object.keys(PAGES))('axe finds nothing on %s, and nothing is cut off', async (name) => {
    const viewport = { width, height: 800 };
    const context = await browser.newContext({ viewport, colorScheme, extraHTTPHeaders: BEARER });
    const page = await context.newPage();
    await PAGES[name]?.(page);
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(
      (rules) => (window as unknown as { axe: typeof axe }).axe.run(document, { runOnly: rules }),
      RULES,
    );
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join('; ')}`),
    ).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
    await context.close();
  });
});
