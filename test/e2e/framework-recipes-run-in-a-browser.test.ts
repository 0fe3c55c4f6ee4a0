import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { startCommentsApp } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { readmeExample } from '../support/readme-example.ts';
import { startRelay } from '../support/relay-fixture.ts';

const CLIENT = `
import { Heliograph } from './dist/client/heliograph-client.js';
const heliograph = new Heliograph(RELAY);
const load = async ({ signal }) => (await (await fetch('/comments', { signal })).json()).join(' ');
`;
const VUE = `${readmeExample('js', "from 'vue'")}
import { createApp, h } from 'vue';
${CLIENT}
const App = {
  setup() {
    const comments = useTopic(heliograph, 'chat', load);
    return () => h('p', comments.value ?? 'loading');
  },
};
const app = createApp(App);
app.mount('main');
addEventListener('leave', () => app.unmount());
`;
const SVELTE = `${readmeExample('js', "from 'svelte/store'")}
${CLIENT}
const end = topicStore(heliograph, 'chat', load).subscribe((comments) => {
  document.querySelector('main').innerHTML = '<p></p>';
  document.querySelector('p').textContent = comments ?? 'loading';
});
addEventListener('leave', end);
`;

/** Returns a file of `node_modules` as a classic script of a page. */
function inline(file: string): string {
  const path = new URL(`../../node_modules/${file}`, import.meta.url);
  return `<script>${readFileSync(path, 'utf8').replaceAll('</script', '<\\/script')}</script>`;
}

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

it.each([
  ['Vue', VUE],
  ['Svelte', SVELTE],
])(
  'the recipe for %s shows each update, and unsubscribes when its component is removed',
  async (_, script) => {
    await using relay = await startRelay();
    await using app = await startCommentsApp({ relay, script });
    await app.write('one');
    const { page, complaints } = await openPage(browser, app.url);
    const shows = (text: string) => eventually(async () => expect(await page.textContent('p')).toBe(text));
    await shows('one');
    await eventually(() => expect(relay.relay.hub.isFresh('chat' as never)).toBe(true));
    await app.write('two');
    await shows('one two');
    await page.evaluate(() => dispatchEvent(new Event('leave')));
    await eventually(() => expect(relay.relay.hub.topics).toBe(0));
    expect(complaints).toEqual([]);
  },
  60_000,
);

it('the recipe for htmx 2 shows each update of a relay of another origin, and what it missed', async () => {
  const port = String(await freePort());
  const appPort = await freePort();
  const env = { RELAY_PORT: port, ALLOWED_ORIGINS: `http://127.0.0.1:${appPort}` };
  const relay = await startRelay({ env });
  await using app = await startCommentsApp({
    relay,
    port: appPort,
    script: '',
    head: ['htmx.org/dist/htmx.min.js', 'htmx-ext-sse/sse.js'].map(inline).join(''),
    body: readmeExample('html', ' sse-connect').replaceAll('http://localhost:8080', relay.http),
  });
  await app.write('one');
  const { page } = await openPage(browser, app.url);
  const shows = (text: string) => eventually(async () => expect(await page.textContent('main')).toBe(text), 15_000);
  await shows('["one"]');
  await eventually(() => expect(relay.relay.hub.isFresh('chat' as never)).toBe(true));
  await app.write('two');
  await shows('["one","two"]');
  await relay.relay.stop();
  await app.write('three');
  const next = await startRelay({ env, broker: relay.broker });
  await shows('["one","two","three"]');
  await app.write('four');
  await shows('["one","two","three","four"]');
  await page.context().close();
  await next.stop();
  await relay.stop();
}, 60_000);
