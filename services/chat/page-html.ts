import { type Html, html } from '../shared/http/html.ts';
import { hueOf, initialOf } from './avatar.ts';
import { type Comment, MAX_NAME_LENGTH, MAX_TEXT_LENGTH } from './comment.ts';
import { UNPUBLISHED_NOTICE } from './notices.ts';

/** Content of the page, and the initial state of its script. */
export interface Page {
  /** Newest first. */
  readonly comments: readonly Comment[];
  readonly topic: string;
  /** Version of the newest update whose comment is included; the client subscribes with it as `since`. */
  readonly version: number;
  readonly relayUrl: string;
  /** Values of the form's fields. */
  readonly draft: { readonly name: string; readonly text: string };
  /** Why the form was rejected; empty if it was not. */
  readonly error: string;
  /** Whether a saved comment could not be published yet. */
  readonly publishDelayed: boolean;
}

/** Renders the whole page. It works without its script, which only adds updates. */
export function renderPage(page: Page): string {
  const { comments, draft, error } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="A chat that shows new comments at once, without polling">
<title>Heliograph chat</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/chat.css">
<script type="module" src="/chat.js"></script>
</head>
<body data-relay="${page.relayUrl}" data-topic="${page.topic}" data-version="${page.version}">
<header class="top">
<h1><img src="/icon.svg" alt="" width="32" height="32">Heliograph chat</h1>
<p class="status" id="status" role="status" hidden></p>
<noscript><p class="status">Without JavaScript: reload to see new comments</p></noscript>
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
<p class="notice" id="notice" role="status">${page.publishDelayed && error === '' ? UNPUBLISHED_NOTICE : ''}</p>
<div class="row">
<p class="hint" id="hint">Up to ${MAX_TEXT_LENGTH} characters<span id="keys" hidden>; Enter sends, Shift+Enter starts a new line</span></p>
<button>Send</button>
</div>
</form>
<section aria-labelledby="newest">
<h2 id="newest">Newest comments</h2>
<div role="log" aria-labelledby="newest">
<ol class="comments" id="comments">
${comments.map(renderComment)}</ol>
<p class="empty">No comments yet. Write the first one!</p>
</div>
</section>
<details class="card activity" id="activity" hidden>
<summary>Activity log</summary>
<ol id="log"></ol>
</details>
</main>
<footer>
<p>This page does not poll. It keeps one connection to a relay, which notifies it of each new comment; then the page
fetches the comments that it does not show yet.</p>
</footer>
<template id="comment">${renderComment({ id: 0, name: '', text: '' })}</template>
</body>
</html>
`.text;
}

/** Renders a comment. The page also contains an empty one as the template for its script. */
function renderComment({ id, name, text }: Comment): Html {
  const time = new Date(id / 1000).toISOString();
  return html`<li class="comment" data-id="${id}">
<span class="avatar hue-${hueOf(name)}" aria-hidden="true">${initialOf(name)}</span>
<p class="by"><bdi class="name">${name}</bdi> <time datetime="${time}">${time.slice(0, 16).replace('T', ' ')} UTC</time></p>
<p class="text" dir="auto">${text}</p>
</li>
`;
}
