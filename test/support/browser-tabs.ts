import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';
import { endProcess, spawnBound } from './bound-process.ts';

/** A browser with one profile, whose tabs are really hidden while another one is shown. */
export interface TabbedBrowser {
  readonly context: BrowserContext;
  /** Opens a tab and shows it. */
  open(url: string, prepare?: (page: Page) => Promise<unknown>): Promise<Page>;
  /** Freezes or resumes a tab, as browsers do with tabs that are hidden for long. */
  freeze(page: Page, isFrozen: boolean): Promise<void>;
  stop(): Promise<void>;
}

const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];

/** Starts a headless browser. Playwright's own launcher would show every page at the same time. */
export async function startTabbedBrowser(executablePath: string): Promise<TabbedBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'heliograph-profile-'));
  const args = [...ARGS, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
  const child = spawnBound(executablePath, args);
  child.stdout?.resume();
  const address = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stderr?.on('data', (text) => {
      output += text;
      const [found] = /ws:\/\/\S+/.exec(output) ?? [];
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error(`the browser ended: ${output}`)));
  });
  const browser = await chromium.connectOverCDP(address, { noDefaults: true });
  const [context] = browser.contexts();
  if (!context) throw new Error('the browser has no profile');
  const sessions = new Map<Page, CDPSession>();
  return {
    context,
    async open(url, prepare) {
      const page = await context.newPage();
      await prepare?.(page);
      await page.goto(url);
      await page.bringToFront();
      return page;
    },
    async freeze(page, isFrozen) {
      const session = sessions.get(page) ?? (await context.newCDPSession(page));
      sessions.set(page, session);
      await session.send('Page.setWebLifecycleState', { state: isFrozen ? 'frozen' : 'active' });
    },
    async stop() {
      await browser.close();
      await endProcess(child);
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
