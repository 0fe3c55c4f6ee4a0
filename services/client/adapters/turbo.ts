import { formatVersions, parseVersions, VERSION_HEADER } from '../../shared/protocol/version-header.ts';
import type { FetchReason, Heliograph } from '../heliograph-client.ts';
import { WRITE_HOLD_MS } from '../timings.ts';

/** The part of Turbo that is used. */
interface Visits {
  visit(location: string, options: { action: 'replace'; response: object }): void;
}

type ResponseEvent = CustomEvent<{ fetchResponse?: { response: Response } }>;

/**
 * Refreshes the pages of Turbo whenever one of their topics has changed: after a random part of the update's spread, in a hidden
 * tab once it is shown, and never during a visit or the submission of a form. Each page names its topics, with the versions
 * that it shows: `<meta name="heliograph-version" content="chat=1790000000000002, news">`. It is fetched once more for those
 * without a version.
 *
 * @returns a function that ends it
 * @example
 * ```js
 * import * as turbo from '@hotwired/turbo';
 * refreshOnUpdate({ heliograph: new Heliograph('https://push.example.org'), turbo });
 * ```
 */
export function refreshOnUpdate(options: {
  readonly heliograph: Pick<Heliograph, 'watch' | 'known'>;
  readonly turbo: Visits;
}): () => void {
  const { heliograph, turbo } = options;
  const ending = new AbortController();
  const watches = new Map<string, () => void>();
  /** The version of each topic that the page shows, as far as it is known. */
  const shown = new Map<string, number>();
  /** Resolves once no visit or submission is in progress. */
  let idle = Promise.resolve();
  let setIdle = () => {};
  /** A refresh that has not begun yet, for all topics. */
  let queued: Promise<string> | undefined;
  let isRefreshing = false;
  /** Notes that the visit of a refresh has ended, before the watches of topics that its page does not name do. */
  let refreshed = () => {};

  function hold(limitMs?: number): void {
    setIdle();
    idle = new Promise((resolve) => {
      setIdle = resolve;
      if (limitMs !== undefined) setTimeout(resolve, limitMs);
    });
  }

  async function untilIdle(signal: AbortSignal): Promise<void> {
    for (let waited: unknown; waited !== idle; ) {
      waited = idle;
      await Promise.race([idle, aborted(signal)]);
    }
    signal.throwIfAborted(); // the visit that has ended loaded another page
  }

  async function run(topic: string, { signal, update }: FetchReason): Promise<string | undefined> {
    await untilIdle(signal);
    if (update && update.version <= (shown.get(topic) ?? 0)) return undefined; // meanwhile the page has written it
    queued ??= untilIdle(signal)
      .finally(() => {
        queued = undefined; // also if a visit ended the watch: the next run begins another one
      })
      .then(() => refresh(signal));
    return await queued;
  }

  /** Fetches the page, and has Turbo render it. Returns the versions that it shows. */
  async function refresh(signal: AbortSignal): Promise<string> {
    const page = await fetch(location.href, { signal, cache: 'no-cache', headers: { accept: 'text/html' } });
    if (!page.ok) throw new Error(`${page.url} responds with ${page.status}`);
    const response = { statusCode: page.status, redirected: page.redirected, responseHTML: await page.text() };
    await untilIdle(signal);
    const loaded = new Promise<void>((resolve) => {
      refreshed = resolve;
    });
    turbo.visit(page.redirected ? page.url : location.href, { action: 'replace', response });
    isRefreshing = true;
    await Promise.race([loaded, aborted(signal)]);
    return formatVersions([...shown].map(([topic, version]) => ({ topic, version })));
  }

  /** Watches the topics of the page. */
  function pageLoaded(): void {
    const wasRefreshed = isRefreshing;
    isRefreshing = false;
    refreshed();
    setIdle();
    shown.clear();
    const topics = new Map(readTopics());
    for (const [topic, version] of topics) if (version !== undefined) shown.set(topic, version);
    for (const [topic, end] of watches) {
      // A refresh is a run of these watches, which repeat it if its content is behind. Another page may be an old one.
      if (wasRefreshed && topics.has(topic)) continue;
      end();
      watches.delete(topic);
    }
    for (const [topic, since] of topics) {
      if (!watches.has(topic))
        watches.set(
          topic,
          heliograph.watch(topic, (reason) => run(topic, reason), { since }),
        );
      else if (since !== undefined) heliograph.known(topic, since);
    }
  }

  function written({ detail: { fetchResponse } }: ResponseEvent): void {
    for (const { topic, version, previous } of parseVersions(fetchResponse?.response.headers.get(VERSION_HEADER))) {
      if (previous === undefined) continue;
      heliograph.known(topic, version, { previous });
      const current = shown.get(topic) ?? 0;
      if (current >= previous && current < version) shown.set(topic, version);
    }
  }

  const on = (event: string, handler: (event: ResponseEvent) => void) =>
    addEventListener(event, handler as (event: Event) => void, { signal: ending.signal });
  on('turbo:visit', () => {
    isRefreshing = false;
    hold();
  });
  on('turbo:load', pageLoaded);
  on('turbo:submit-start', () => hold());
  on('turbo:before-fetch-response', written);
  // The page to which a submission redirects is loaded by a visit or in a frame.
  on('turbo:submit-end', ({ detail }) => (detail.fetchResponse?.response.redirected ? hold(WRITE_HOLD_MS) : setIdle()));
  on('turbo:frame-load', () => setIdle());
  pageLoaded();
  return () => {
    ending.abort();
    for (const end of watches.values()) end();
  };
}

/** Returns the topics that the page names, with their versions. */
function readTopics(): [topic: string, version: number | undefined][] {
  const content = document.querySelector<HTMLMetaElement>('meta[name="heliograph-version"]')?.content ?? '';
  return content
    .split(',')
    .map((part): [string, number | undefined] => [part.trim().replace(/=.*/, ''), parseVersions(part)[0]?.version])
    .filter(([topic]) => topic !== '');
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
}
