import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Status, TopicUpdate, TransportName } from '../../services/client/heliograph-client.ts';
import { eventually } from './eventually.ts';

/** What a page of the tests makes a client with. */
export interface PageOptions {
  readonly topics?: readonly string[];
  readonly since?: Readonly<Record<string, number>>;
  readonly transports?: readonly TransportName[];
  readonly shared?: boolean;
  /** Whether it asks its app for tokens. */
  readonly token?: boolean;
  /** A topic that is watched; each run of the fetcher is noted. */
  readonly watch?: string;
}

/** What its client told a page, and when, by the clock of the page. */
export interface Told {
  readonly updates: readonly (TopicUpdate & { readonly atMs: number })[];
  readonly statuses: readonly Status[];
  readonly errors: readonly string[];
  /** The version with which each run of the fetcher began; null where there was no update. */
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

const told = { updates: [], statuses: [], errors: [], fetches: [] };
const token = async () => (await fetch('/token')).text();

Object.assign(window, {
  told,
  listen({ watch, ...options }) {
    const heliograph = new Heliograph('${relay}', { ...options, token: options.token && token });
    heliograph.on('status', (status) => {
      told.statuses.push(status);
      document.getElementById('status').textContent = status;
    });
    heliograph.on('error', ({ code }) => told.errors.push(code));
    heliograph.on('update', (update) => {
      told.updates.push({ ...update, atMs: performance.now() });
      const item = document.createElement('li');
      item.textContent = update.topic + ' ' + update.version;
      document.getElementById('updates').append(item);
    });
    if (watch) heliograph.watch(watch, ({ update }) => told.fetches.push(update?.version ?? null));
    window.heliograph = heliograph;
  },
});
`;

/** An app whose pages use the library of a relay. */
export interface LibraryApp {
  readonly url: string;
  /** How often it was asked for a token. */
  readonly tokens: number;
  stop(): Promise<void>;
}

/** Starts the app, on an origin of its own. */
export async function startLibraryApp(options: {
  relay: string;
  /** What its pages may do, as a Content Security Policy; given its own origin and the relay's. */
  policy?: string;
  token?: () => Promise<string>;
}): Promise<LibraryApp> {
  let tokens = 0;
  const server = createServer(async (request, response) => {
    if (options.policy) response.setHeader('content-security-policy', options.policy);
    if (request.url === '/') return void response.setHeader('content-type', 'text/html').end(HTML);
    if (request.url === '/page.js') {
      // A page that may do little has an origin of its own.
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

type PageWindow = { told: Told; listen(options: PageOptions): void; heliograph: { close(): void } };

/** A page of that app, as a test uses it. */
export class LibraryPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Makes the page's client. */
  async listen(options: PageOptions): Promise<void> {
    await this.page.waitForFunction('window.listen');
    await this.page.evaluate((given) => (window as unknown as PageWindow).listen(given), options);
  }

  /** Ends the page's client. */
  async close(): Promise<void> {
    await this.page.evaluate(() => (window as unknown as PageWindow).heliograph.close());
  }

  told(): Promise<Told> {
    return this.page.evaluate(() => (window as unknown as PageWindow).told);
  }

  /** The versions that it was told of a topic, in order. */
  async versions(topic: string): Promise<number[]> {
    return (await this.told()).updates.filter((update) => update.topic === topic).map(({ version }) => version);
  }

  /** Waits for a state of its client. */
  async is(status: Status, timeoutMs?: number): Promise<void> {
    await eventually(async () => expect((await this.told()).statuses.at(-1)).toBe(status), timeoutMs);
  }

  /** Waits until it was told exactly these versions of a topic. */
  async knows(topic: string, versions: readonly number[], timeoutMs?: number): Promise<void> {
    await eventually(async () => expect(await this.versions(topic)).toEqual(versions), timeoutMs);
  }
}
