import { type Html, html } from '../shared/http/html.ts';
import { type Comment, MAX_NAME_LENGTH, MAX_TEXT_LENGTH } from './comment.ts';
import { hueOf, initialOf } from './hue.ts';
import { PENDING_NOTICE } from './notices.ts';

/** What a page shows, and what its script begins with. */
export interface Page {
  /** Newest first. */
  readonly comments: readonly Comment[];
  readonly topic: string;
  /** The newest update that these comments contain; what comes after it is news. */
  readonly version: number;
  readonly relayUrl: string;
  /** What the fields of the form hold. */
  readonly draft: { readonly name: string; readonly text: string };
  /** Why the form was not taken; empty where there is nothing to say. */
  readonly error: string;
  /** Whether the others have not been told of the newest comment yet. */
  readonly late: boolean;
}

/** Renders the whole page: it shows everything, and takes comments, without a script. */
export function renderPage(page: Page): string {
  const { comments, draft, error } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="A chat whose browsers are told at once, without polling">
<title>Heliograph chat</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/chat.css">
<script type="module" src="/chat.js"></script>
</head>
<body data-relay="${page.relayUrl}" data-topic="${page.topic}" data-version="${page.version}">
<header class="top">
<h1><img src="/icon.svg" alt="" width="32" height="32">Heliograph chat</h1>
<p class="status" id="status" role="status" hidden></p>
<noscript><p class="status">Without JavaScript: reload to see what is new</p></noscript>
</header>
<main>
<form class="card" id="form" action="/comments" method="post" autocomplete="off">
<div class="field">
<label for="name">Your name</label>
<input id="name" name="name" value="${draft.name}" required maxlength="${MAX_NAME_LENGTH}" autocomplete="nickname">
</div>
<div class="field">
<label for="text">Your comment</label>
<textarea id="text" name="text" rows="3" required maxlength="${MAX_TEXT_LENGTH}" aria-describedby="hint">
${draft.text}</textarea>
</div>
<p class="error" id="error" role="alert">${error}</p>
<p class="notice" id="notice" role="status">${page.late && error === '' ? PENDING_NOTICE : ''}</p>
<div class="row">
<p class="hint" id="hint">Up to ${MAX_TEXT_LENGTH} characters<span id="keys" hidden>; Enter sends, Shift and Enter begin a new line</span></p>
<button>Send</button>
</div>
</form>
<section aria-labelledby="newest">
<h2 id="newest">Newest comments</h2>
<div role="log" aria-labelledby="newest">
<ol class="comments" id="comments">
${comments.map(renderComment)}</ol>
<p class="empty">Nobody has written anything yet. Be the first!</p>
</div>
</section>
<details class="card told" id="told" hidden>
<summary>What this page was told, and what it fetched</summary>
<ol id="log"></ol>
</details>
</main>
<footer>
<p>This page does not poll. It holds one connection to a relay, which says &ldquo;look now&rdquo; when somebody has
written; then the page fetches what is new.</p>
</footer>
<template id="comment">${renderComment({ id: 0, name: '', text: '' })}</template>
</body>
</html>
`.text;
}

/** The script makes its comments from this too, so that there is one form of them. */
function renderComment({ id, name, text }: Comment): Html {
  const time = new Date(id / 1000).toISOString();
  return html`<li class="comment" data-id="${id}">
<span class="face hue-${hueOf(name)}" aria-hidden="true">${initialOf(name)}</span>
<p class="by"><bdi class="name">${name}</bdi> <time datetime="${time}">${time.slice(0, 16).replace('T', ' ')} UTC</time></p>
<p class="text" dir="auto">${text}</p>
</li>
`;
}
