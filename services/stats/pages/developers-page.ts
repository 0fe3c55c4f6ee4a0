import { type Html, html } from '../../shared/http/html.ts';
import type { TopicPage, TopicRow } from '../view/topics.ts';
import { formatCount, timeElement } from './format.ts';
import { renderLayout, renderMenu } from './layout.ts';
import { fillSnippet, SNIPPETS, type Snippet, type SnippetValues } from './snippets.ts';
import { type Column, renderTable, withQuery } from './table.ts';

/** Interval of the automatic refresh, in seconds. */
const REFRESH_S = 5;

const COLUMNS: readonly Column[] = [
  { text: 'Topic', key: 'topic' },
  { text: 'Subscribers', key: 'subscribers', isNumber: true },
  { text: 'Relays', key: 'relays', isNumber: true },
  { text: 'Version', key: 'version', isNumber: true },
  { text: 'Last update' },
];

/** Links to what the services describe, with the placeholders of snippets. */
const LINKS: readonly [template: string, text: string][] = [
  ['/stats', 'call statistics of the cluster'],
  ['/metrics', 'metrics of this process, for Prometheus'],
  ['/readyz', 'health of this process'],
  ['{webhook}/openapi.json', 'calls of the webhook, in OpenAPI 3.1'],
  ['{relay}/asyncapi.json', 'WebSocket and server-sent events, in AsyncAPI 3'],
  ['{relay}/openapi.json', 'long-poll, in OpenAPI 3.1'],
  ['{relay}/client.js', 'the browser library'],
];

/** Content of the page. */
export interface DevelopersPage {
  readonly list: TopicPage;
  readonly values: SnippetValues;
  /** Whether the page can publish: only a process that contains a webhook. */
  readonly canPublish: boolean;
  readonly url: URL;
  readonly refreshes: boolean;
}

/** Renders the page for developers: topics, a form that publishes, a live stream, and examples. */
export function renderDevelopersPage(page: DevelopersPage): string {
  const { list, values, url, refreshes } = page;
  const toggle = refreshes
    ? { href: withQuery(url, { refresh: '' }), text: 'Stop refreshing' }
    : { href: withQuery(url, { refresh: '1' }), text: `Refresh every ${REFRESH_S} s` };
  const body = html`<h1>Developers</h1>
<form class="filter addresses" id="addresses" action="/stats/developers" method="get" aria-label="Addresses and topic">
<p><label for="relay">Relay, as clients reach it</label><input id="relay" type="url" value="${values.relay}" maxlength="300"></p>
<p><label for="webhook">Webhook, as publishers reach it</label><input id="webhook" type="url" value="${values.webhook}" maxlength="300"></p>
<p><label for="topic">Topic</label><input id="topic" name="topic" value="${values.topic}" maxlength="128"></p>
<p><button>Use in examples</button></p>
</form>
<section aria-labelledby="topics"><h2 id="topics">Topics with subscribers</h2>
<form class="filter search" action="/stats/developers#topics" method="get" role="search" aria-label="Topics">
<div data-live="kept" hidden>${['topics', 'topic', 'refresh'].map((name) => renderKept(name, url))}</div>
<p><label for="search">Part of the topic</label><input id="search" name="search" value="${list.search}" maxlength="128"></p>
<p><button>Search</button></p>
</form>
<div data-live="topics">${renderTopics(list, url)}</div>
</section>
<div class="columns">
<section class="card" aria-labelledby="publish"><h2 id="publish">Publish</h2>
${page.canPublish ? renderPublishForm(values.topic) : html`<p class="faint">This process has no webhook. Open this page at the admin port of a webhook, or use curl as shown below.</p>`}
</section>
<section class="card" aria-labelledby="stream"><h2 id="stream">Live stream</h2>
<noscript><p class="faint">The live stream needs JavaScript.</p></noscript>
<form id="stream-form" autocomplete="off" hidden>
<p class="faint">Subscribes to the topic above with the browser library, at the relay above.</p>
<p><label for="subscriber-token">Subscriber's token <span class="optional">(empty for public topics)</span></label><input id="subscriber-token" type="password" autocomplete="off" maxlength="8000"></p>
<p><label for="transport">Transport</label><select id="transport"><option value="">best available</option><option>websocket</option><option>sse</option><option>longpoll</option></select></p>
<p class="row"><button id="connect">Connect</button> <span id="stream-status" role="status" class="faint"></span></p>
<div class="events" role="log" aria-label="Events" tabindex="0"><ol id="events"></ol></div>
</form>
</section>
</div>
<section aria-labelledby="examples"><h2 id="examples">Examples</h2>
<div class="snippets">
${SNIPPETS.map((snippet) => renderSnippet(snippet, values))}</div>
</section>
<section aria-labelledby="links"><h2 id="links">Elsewhere</h2>
<dl class="links">
${LINKS.map(([template, text]) => renderLink(template, text, values))}</dl>
</section>`;
  const head = html`<p class="faint refreshed" id="refreshed" role="status"></p>${renderMenu([{ href: '/stats', text: 'Statistics' }, toggle, { href: withQuery(url, { format: 'json' }), text: 'JSON' }])}`;
  const title = 'Developers · Heliograph';
  return renderLayout({
    title,
    head,
    body,
    section: 'developers',
    refreshS: refreshes ? REFRESH_S : 0,
    script: '/stats/developers.js',
  });
}

function renderKept(name: string, url: URL): Html {
  const value = url.searchParams.get(name) ?? '';
  return value === '' ? html`` : html`<input type="hidden" name="${name}" value="${value}">`;
}

function renderTopics(list: TopicPage, url: URL): Html {
  const { topics, listed, relays, isPartial, page, pages, search, sort } = list;
  if (relays === 0) {
    return html`<p class="empty">No relay has listed its topics yet. Relays report them within 2 s if they record statistics: they need the same STATS_TOKEN and Redis.</p>`;
  }
  if (listed === 0) {
    return html`<p class="empty">${search === '' ? 'No topic has a subscriber.' : 'No topic with a subscriber contains this text.'}</p>`;
  }
  const count = `${formatCount(listed)} ${listed === 1 ? 'topic' : 'topics'} of ${formatCount(relays)} ${relays === 1 ? 'relay' : 'relays'}`;
  const pageUrl = (number: number) => `${withQuery(url, { page: String(number) })}#topics`;
  return html`${renderTable({
    id: 'topics',
    caption: 'Topics with subscribers',
    columns: COLUMNS,
    rows: topics.map((row) => renderTopic(row, url)),
    sort,
    url,
  })}
<p class="pager faint"><span>${count}${isPartial ? '; those with the fewest subscribers are left out: search for them' : ''}</span>${
    pages === 1
      ? html``
      : html`<span>${page > 1 ? html`<a href="${pageUrl(page - 1)}">Previous</a>` : html``} Page ${page} of ${pages} ${page < pages ? html`<a href="${pageUrl(page + 1)}">Next</a>` : html``}</span>`
  }</p>`;
}

function renderTopic({ topic, subscribers, relays, version }: TopicRow, url: URL): Html {
  const none = html`<span class="faint">none known</span>`;
  return html`<tr>
<th scope="row"><a class="call" href="${withQuery(url, { topic })}#addresses"><bdi>${topic}</bdi></a></th>
<td class="number">${formatCount(subscribers)}</td>
<td class="number">${formatCount(relays)}</td>
<td class="number">${version === 0 ? none : html`<code>${version}</code>`}</td>
<td>${version === 0 ? none : timeElement(version, { hasDate: true })}</td>
</tr>
`;
}

function renderPublishForm(topic: string): Html {
  return html`<form id="publish-form" action="/stats/developers/publish" method="post" autocomplete="off">
<p class="faint">Calls the webhook of this process as any publisher does. The credential is sent with this call, and kept nowhere.</p>
<p><label for="publish-topic">Topic</label><input id="publish-topic" name="topic" value="${topic}" required maxlength="128"></p>
<p><label for="data">Data <span class="optional">(JSON, optional)</span></label><textarea id="data" name="data" rows="2" spellcheck="false" maxlength="65536"></textarea></p>
<p><label for="credential">Credential of a publisher <span class="optional">(a token, or a secret that signs)</span></label><input id="credential" name="credential" type="password" required autocomplete="off" maxlength="300"></p>
<p class="row"><button>Publish</button></p>
<pre class="answer" id="answer" role="status" hidden></pre>
</form>`;
}

function renderSnippet({ id, title, text, template }: Snippet, values: SnippetValues): Html {
  return html`<article class="snippet">
<header><h3 id="${id}">${title}</h3><button class="copy" type="button" data-copies="${id}-code" aria-describedby="${id}" hidden>Copy</button></header>
<p class="hint">${text}</p>
<pre tabindex="0" aria-labelledby="${id}"><code id="${id}-code" data-template="${template}">${fillSnippet(template, values)}</code></pre>
</article>
`;
}

function renderLink(template: string, text: string, values: SnippetValues): Html {
  const href = fillSnippet(template, values);
  return html`<div><dt><a href="${href}" data-template="${template}">${href}</a></dt><dd>${text}</dd></div>\n`;
}
