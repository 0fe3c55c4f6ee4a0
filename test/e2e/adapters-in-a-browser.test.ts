import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPage, startBrowser } from '../support/browser.ts';
import { type CommentsApp, startCommentsApp } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { type RelayFixture, startRelay } from '../support/relay-fixture.ts';

const SET_UP = `
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Heliograph } from 'heliograph/client';
const render = (page) => createRoot(document.querySelector('main')).render(<StrictMode>{page}</StrictMode>);
`;

const REACT = `${SET_UP}
import { HeliographProvider, useStatus, useTopic } from 'heliograph/react';
function Comments({ topic, from }) {
  const comments = useTopic(
    topic,
    async ({ signal }, heliograph) => (await (await heliograph.fetch('/comments', { signal })).json()).slice(from),
    [from],
  );
  return <p>{comments ? comments.join(' ') : 'loading'} ({useStatus()})</p>;
}
function Page() {
  const [topic, setTopic] = useState('chat');
  const [from, setFrom] = useState(0);
  const [renders, setRenders] = useState(0);
  return <>
    <button onClick={() => setTopic('news')}>News</button>
    <button onClick={() => setTopic('')}>Nothing</button>
    <button onClick={() => setFrom(1)}>Later ones</button>
    <button onClick={() => setRenders(renders + 1)}>Render {renders}</button>
    {topic && <Comments topic={topic} from={from} />}
  </>;
}
render(<HeliographProvider connect={() => new Heliograph(RELAY)}><Page /></HeliographProvider>);
`;

/** Counts the updates that have arrived. */
const COUNTED = `
const heliograph = new Heliograph(RELAY);
window.updates = 0;
heliograph.on('update', () => (window.updates += 1));
heliograph.on('status', (status) => (document.title = status));
const load = async () => (await fetch('/comments')).json();
`;

const QUERY = `${SET_UP}
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { invalidateOnUpdate } from 'heliograph/query';
${COUNTED}
const queryClient = new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false } } });
function Comments() {
  const { data } = useQuery({ queryKey: ['comments', 1], queryFn: load });
  useEffect(() => invalidateOnUpdate({ heliograph, queryClient, topic: 'chat', queryKey: ['comments'] }), []);
  return <p>{data?.join(' ')}</p>;
}
render(<QueryClientProvider client={queryClient}><Comments /></QueryClientProvider>);
`;

const SWR = `${SET_UP}
import useSWR, { useSWRConfig } from 'swr';
import { revalidateOnUpdate } from 'heliograph/swr';
${COUNTED}
function Comments() {
  const { data } = useSWR('/comments', load, { revalidateOnFocus: false });
  const { mutate } = useSWRConfig();
  useEffect(() => revalidateOnUpdate({ heliograph, mutate, topic: 'chat', key: '/comments' }), [mutate]);
  return <p>{data?.join(' ')}</p>;
}
render(<Comments />);
`;

let browser: Browser;
let relay: RelayFixture;
let app: CommentsApp;

beforeAll(async () => {
  browser = await startBrowser(inject('chromiumPath'));
});
afterAll(() => browser.close());
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await app[Symbol.asyncDispose]();
  await relay.stop();
});

async function open(script: string) {
  app = await startCommentsApp({ relay, script });
  await app.write('one');
  return await openPage(browser, app.url);
}

const shows = (page: Page, text: string) => eventually(async () => expect(await page.textContent('p')).toBe(text));

describe('the adapter for React', () => {
  it('keeps a topic current on one connection, in strict mode too, and loads no more in renders', async () => {
    const { page, complaints } = await open(REACT);
    await shows(page, 'one (live)');
    await page.click('text=Render 0');
    await page.click('text=Render 1');
    const before = app.reads;
    await app.write('two');
    await shows(page, 'one two (live)');
    expect(app.reads).toBe(before + 1);
    expect(await relay.metric('relay_connections')).toBe(1);
    expect(complaints).toEqual([]);
  });

  it('loads again if the topic or what the loader depends on changes, and unsubscribes from what is not shown', async () => {
    const { page, complaints } = await open(REACT);
    await shows(page, 'one (live)');
    await app.write('two');
    await page.click('text=Later ones');
    await shows(page, 'two (live)');
    await page.click('text=News');
    await shows(page, 'two (live)');
    await eventually(() => expect(relay.relay.hub.isFresh('news' as never)).toBe(true));
    await page.click('text=Nothing');
    await eventually(() => expect(relay.relay.hub.topics).toBe(0));
    expect(complaints).toEqual([]);
  });
});

describe.each([
  ['TanStack Query', QUERY],
  ['SWR', SWR],
])('the adapter for %s', (_, script) => {
  const setHidden = (page: Page, hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);

  it('fetches after each update, and once for all that arrived in a hidden tab', async () => {
    const { page, complaints } = await open(script);
    await shows(page, 'one');
    await eventually(async () => expect(await page.title()).toBe('live'));
    await eventually(() => expect(app.reads).toBe(2)); // of the page, and of the watch at its start
    await app.write('two');
    await shows(page, 'one two');
    const before = app.reads;
    await setHidden(page, true);
    const updates = () => page.evaluate(() => (window as unknown as { updates: number }).updates);
    const seen = await updates();
    for (const comment of ['three', 'four']) {
      await app.write(comment);
      await eventually(async () => expect(await updates()).toBe(seen + app.comments.length - 2));
    }
    expect(app.reads).toBe(before);
    await setHidden(page, false);
    await shows(page, 'one two three four');
    expect(app.reads).toBe(before + 1);
    expect(complaints).toEqual([]);
  });
});
