// Script of the page: shows new comments on a page that the server has rendered.
import type { Status } from '../../client/heliograph-client.ts';
import { createWatch } from '../../client/watch.ts';
import type { CommentBatch } from '../comment.ts';
import { CommentForm } from './comment-form.ts';
import { CommentList } from './comment-list.ts';
import { loadClient } from './load-client.ts';
import { StatusLine } from './status-line.ts';

const element = (id: string) => document.getElementById(id) as HTMLElement;
const { relay = '', topic = '', version = '0' } = document.body.dataset;

const statusLine = new StatusLine({ status: element('status'), log: element('log') });
const list = new CommentList(element('comments'), element('comment') as HTMLTemplateElement);
/** All comments up to this id are shown. One's own comment may be shown before older ones are fetched. */
let fetchedId = list.newestId;

async function fetchComments(signal: AbortSignal | null): Promise<void> {
  const response = await fetch(`/comments?after=${fetchedId}`, { signal });
  if (!response.ok) throw new Error(`the chat answered ${response.status}`);
  const batch: CommentBatch = await response.json();
  const count = list.show(batch);
  fetchedId = Math.max(fetchedId, batch.comments[0]?.id ?? 0);
  statusLine.log(`fetched: ${count || 'no'} new ${count === 1 ? 'comment' : 'comments'}`);
}

// The same as `heliograph.watch`, but independent of the library, so that the page polls even if it cannot be loaded.
const watch = createWatch({
  topic,
  fetcher: ({ signal }) => fetchComments(signal),
  since: Number(version),
  isHeld: () => false,
  report() {}, // the browser logs requests that fail
});

const form = new CommentForm({
  form: element('form') as HTMLFormElement,
  error: element('error'),
  notice: element('notice'),
  saved: (comment) => void list.show({ comments: [comment], complete: true }),
  slow: () => void fetchComments(null).catch(() => {}),
});

function statusChanged(status: Status): void {
  statusLine.show(status);
  watch.status(status);
}

for (const id of ['activity', 'keys']) element(id).hidden = false;
statusChanged('connecting');
const { Heliograph } = await loadClient(relay, () => statusChanged('offline'));
// With `since`, the relay sends an update at once if there was one after the page was rendered.
const heliograph = new Heliograph(relay, { topics: [topic], since: { [topic]: Number(version) } });
heliograph.on('status', statusChanged);
heliograph.on('update', (update) => {
  statusLine.log(`update: ${topic} has changed`);
  form.published();
  watch.updated(update);
});
statusChanged(heliograph.status);
