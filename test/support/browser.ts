import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { slowdown } from './slowdown.ts';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** For what hangs, on a quiet machine. */
const LIMIT_MS = 30_000;

/** A page with a browser profile of its own, and a record of its requests and complaints. */
export interface WatchedPage {
  readonly page: Page;
  /** Its requests, as `GET /path?query`. */
  readonly requests: readonly string[];
  /** Console warnings, and errors of scripts, of its policy and of the network. */
  readonly complaints: readonly string[];
}

/** Starts a headless browser with a new profile. */
export async function startBrowser(executablePath: string): Promise<Browser> {
  const timeoutMs = LIMIT_MS * slowdown();
  const browser = await chromium.launch({ executablePath, args: ARGS, timeout: timeoutMs });
  browser.on('context', (context) => context.setDefaultTimeout(timeoutMs));
  return browser;
}

/** Opens a page as a first-time visitor. `prepare` runs before anything is loaded. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions & { prepare?: (page: Page) => Promise<unknown> } = {},
): Promise<WatchedPage> {
  const { prepare, ...contextOptions } = options;
  const context = await browser.newContext(contextOptions);
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    requests.push(`${request.method()} ${pathname}${search}`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  await prepare?.(page);
  await page.goto(url);
  return { page, requests, complaints };
}
