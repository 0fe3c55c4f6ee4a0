import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
import type { Browser } from 'playwright-core';
import { compile } from 'svelte/compiler';
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { startCommentsApp } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startNginx } from '../support/nginx.ts';
import { readmeExample } from '../support/readme-example.ts';
import { startRelay } from '../support/relay-fixture.ts';

const CLIENT = `
import { Heliograph } from 'heliograph/client';
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

const RUNES = `
import { mount, unmount } from 'svelte';
import Comments from './comments.svelte';
${CLIENT}
const comments = mount(Comments, { target: document.querySelector('main'), props: { heliograph, topic: 'chat', load } });
addEventListener('leave', () => unmount(comments));
`;

/** Compiles the component of the recipe when a script imports it. */
const SVELTE_COMPONENT: Plugin = {
  name: 'svelte',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.svelte$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path),
      namespace: 'svelte',
    }));
    onLoad({ filter: /./, namespace: 'svelte' }, ({ path }) => ({
      contents: compile(readmeExample('svelte', '$effect'), { filename: path, generate: 'client' }).js.code,
      resolveDir: dirname(path),
    }));
  },
};

/** The relay's address on the pages. */
const RELAY = 'http://localhost:8080';

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
  ['Svelte with runes', RUNES],
])('the recipe for %s shows each update, and unsubscribes when its component is removed', async (_, script) => {
  await using relay = await startRelay();
  await using app = await startCommentsApp({ relay, script, plugins: [SVELTE_COMPONENT] });
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
});

const HTMX_2 = ['htmx.org/dist/htmx.min.js', 'htmx-ext-sse/sse.js'];
const HTMX_4 = ['htmx4/dist/htmx.min.js', 'htmx4/dist/ext/hx-sse.min.js'];
const HTMX_2_RECIPE = readmeExample('html', ' sse-connect');
it.each([
  { htmx: 'htmx 2', scripts: HTMX_2, origin: 'another origin', recipe: HTMX_2_RECIPE },
  { htmx: 'htmx 2', scripts: HTMX_2, origin: 'its origin', recipe: HTMX_2_RECIPE.replace(RELAY, '') },
  {
    htmx: 'htmx 4',
    scripts: HTMX_4,
    origin: 'another origin',
    recipe: readmeExample('html', `hx-sse:connect="${RELAY}/`),
  },
  { htmx: 'htmx 4', scripts: HTMX_4, origin: 'its origin', recipe: readmeExample('html', 'hx-sse:connect="/') },
])('the recipe for $htmx shows each update of a relay of $origin, and what it missed', async ({ scripts, recipe }) => {
  const [port, appPort] = [String(await freePort()), await freePort()];
  // A relay of the origin of the page needs no permission.
  const isOther = recipe.includes(RELAY);
  const env = { RELAY_PORT: port, ...(isOther ? { ALLOWED_ORIGINS: `http://127.0.0.1:${appPort}` } : {}) };
  const relay = await startRelay({ env });
  const meta = recipe.match(/^<meta.*$/m)?.[0] ?? '';
  await using app = await startCommentsApp({
    relay,
    port: appPort,
    script: '',
    head: meta + scripts.map(inline).join(''),
    body: recipe.replace(meta, '').replace(RELAY, relay.http),
  });
  await using nginx = await startNginx(`server {
      listen 127.0.0.1:PORT;
      location / { proxy_pass ${app.url}; }
      location /events {
        proxy_pass ${relay.http};
        proxy_http_version 1.1;
        proxy_buffering off;
        proxy_set_header Host $http_host;
      }
    }`);
  await app.write('one');
  const { page } = await openPage(browser, isOther ? app.url : `http://127.0.0.1:${nginx.port}/`);
  const shows = (text: string) => eventually(async () => expect(await page.textContent('main')).toBe(text));
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
});
