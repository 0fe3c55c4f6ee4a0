import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { type LibraryApp, LibraryPage, type PageOptions, startLibraryApp } from '../support/library-page.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

let browser: Browser;
let relay: RelayFixture;
let app: LibraryApp | undefined;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await app?.stop();
  await relay.stop();
});

/** Opens a page with this policy, and checks that its client works without a complaint of the browser. */
async function works(policy: string, options: PageOptions): Promise<void> {
  app = await startLibraryApp({ relay: relay.http, policy });
  const { page, complaints } = await openPage(browser, app.url);
  const library = new LibraryPage(page);
  await library.connect({ topics: ['chat'], ...options });
  await library.is('live');
  const version = await relay.publish('chat');
  await library.received('chat', [version]);
  expect(complaints).toEqual([]);
}

describe('a page with a strict Content Security Policy', () => {
  const policy = (also = '') =>
    `default-src 'none'; script-src 'self' ${relay.http}; connect-src 'self' ${relay.http} ${relay.url}; ` +
    `require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'${also}`;

  it.each([
    ['WebSocket', { transports: ['websocket'] }],
    ['Server-Sent Events', { transports: ['sse'] }],
    ['long-polls', { transports: ['longpoll'] }],
    ['a connection that tabs share', { shared: true }],
  ] as const)('connects by %s without a complaint', async (_, options) => {
    await works(policy(), options);
  });

  it.each([false, true])(
    'connects even if it is sandboxed without an origin of its own (shared: %s)',
    async (shared) => {
      await works(policy('; sandbox allow-scripts'), { shared });
    },
  );
});
