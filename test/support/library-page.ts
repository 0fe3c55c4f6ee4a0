import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Status, TopicUpdate, TransportName } from '../../services/client/heliograph-client.ts';
import { eventually } from './eventually.ts';

/** Options of a test page's client. */
export interface PageOptions {
  readonly topics?: readonly string[];
  readonly since?: Readonly<Record<string, number>>;
  readonly transports?: readonly TransportName[];
  readonly shared?: boolean;
  /** Whether it requests tokens from its app. */
  readonly token?: boolean;
  /** A topic to watch; each run of the fetcher is recorded. */
  readonly watch?: string;
}

/** The events that a page's client emitted. Times are by the page's clock. */
export interface PageLog {
  readonly updates: readonly (TopicUpdate & { readonly atMs: number })[];
  readonly statuses: readonly Status[];
  readonly errors: readonly string[];
  /** The version of the update of each run of the fetcher; null if it had none. */
  readonly fetches: readonly (number | null)[];
}

const HTML = `<!doctype html>
<html lang="en">
<title>A page of the tests</title>
<h1 id="status">not connected</h1>
<ol id="updates"></ol>
<script type="module" src="/page.js"></script>
`;

const script = (relay: string) => `
import { Heliograph } from '${relay}/client.js';

const log = { updates: [], statuses: [], errors: [], fetches: [] };
const token = async () => (await fetch('/token')).text();

Object.assign(window, {
  log,
  connect({ watch, ...options }) {
    const heliograph = new Heliograph('${relay}', { ...options, token: options.token && token });
    heliograph.on('status', (status) => {
      log.statuses.push(status);
      document.getElementById('status').textContent = status;
    });
    heliograph.on('error', ({ code }) => log.errors.push(code));
    heliograph.on('update', (update) => {
      log.updates.push({ ...update, atMs: performance.now() });
      const item = document.createElement('li');
      item.textContent = update.topic + ' ' + update.version;
      document.getElementById('updates').append(item);
    });
    if (watch) heliograph.watch(watch, ({ update }) => log.fetches.push(update?.version ?? null));
    window.heliograph = heliograph;
  },
});
`;

/** An app whose pages use a relay's library. */
export interface LibraryApp {
  readonly url: string;
  /** The number of token requests. */
  readonly tokens: number;
  stop(): Promise<void>;
}

/** Starts the app on an origin of its own. */
export async function startLibraryApp(options: {
  relay: string;
  /** The Content Security Policy of its pages. */
  policy?: string;
  token?: () => Promise<string>;
}): Promise<LibraryApp> {
  let tokens = 0;
  const server = createServer(async (request, response) => {
    if (options.policy) response.setHeader('content-security-policy', options.policy);
    if (request.url === '/') return void response.setHeader('content-type', 'text/html').end(HTML);
    if (request.url === '/page.js') {
      // A sandboxed page has an opaque origin.
      response.setHeader('access-control-allow-origin', '*');
      return void response.setHeader('content-type', 'text/javascript').end(script(options.relay));
    }
    if (request.url !== '/token' || !options.token) return void response.writeHead(204).end();
    tokens += 1;
    response.end(await options.token());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get tokens() {
      return tokens;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type PageWindow = { log: PageLog; connect(options: PageOptions): void; heliograph: { close(): void } };

/** Drives a page of that app. */
export class LibraryPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Creates the page's client. */
  async connect(options: PageOptions): Promise<void> {
    await this.page.waitForFunction('window.connect');
    await this.page.evaluate((given) => (window as unknown as PageWindow).connect(given), options);
  }

  /** Closes the page's client. */
  async close(): Promise<void> {
    await this.page.evaluate(() => (window as unknown as PageWindow).heliograph.close());
  }

  log(): Promise<PageLog> {
    return this.page.evaluate(() => (window as unknown as PageWindow).log);
  }

  /** Returns the received versions of a topic, in order. */
  async versions(topic: string): Promise<number[]> {
    return (await this.log()).updates.filter((update) => update.topic === topic).map(({ version }) => version);
  }

  /** Waits for a status of its client. */
  async is(status: Status, timeoutMs?: number): Promise<void> {
    await eventually(async () => expect((await this.log()).statuses.at(-1)).toBe(status), timeoutMs);
  }

  /** Waits until it has received exactly these versions of a topic. */
  async received(topic: string, versions: readonly number[], timeoutMs?: number): Promise<void> {
    await eventually(async () => expect(await this.versions(topic)).toEqual(versions), timeoutMs);
  }
}
