import type { Request, Response } from 'express';
import { MAX_NAME_LENGTH, MAX_TEXT_LENGTH } from './comment.ts';
import type { CommentStore } from './comment-store.ts';
import type { Outbox } from './outbox.ts';
import { renderPage } from './page-html.ts';
import type { RelayUrl } from './relay-url.ts';

/** Answers with the page: the newest comments and the form, with what was written and why it was not taken. */
export type ShowPage = (
  request: Request,
  response: Response,
  form?: { draft?: { readonly name?: unknown; readonly text?: unknown }; error?: string },
) => void;

/** Creates what answers with the page. */
export function createShowPage(deps: {
  store: CommentStore;
  outbox: Outbox;
  topic: string;
  relayUrl: RelayUrl;
}): ShowPage {
  const { store, outbox, topic, relayUrl } = deps;
  return (request, response, { draft = {}, error = '' } = {}) => {
    // Read before the comments: whatever they lack was published later, and so is told to the page as news.
    const { version } = store.published(topic);
    const page = renderPage({
      comments: store.newest().comments,
      topic,
      version,
      relayUrl: relayUrl(request),
      draft: { name: shorten(draft.name, MAX_NAME_LENGTH), text: shorten(draft.text, MAX_TEXT_LENGTH) },
      error,
      late: outbox.late,
    });
    response.type('html').send(page);
  };
}

/** A draft comes back as it was, but no longer than its field. */
function shorten(value: unknown, maxLength: number): string {
  return typeof value === 'string' ? value.slice(0, maxLength) : '';
}
