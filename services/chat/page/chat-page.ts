// The page's script. The server has rendered all there is; this adds what comes.
import type { Status } from '../../client/heliograph-client.ts';
import { createWatch } from '../../client/watch.ts';
import type { News } from '../comment.ts';
import { CommentForm } from './comment-form.ts';
import { CommentList } from './comment-list.ts';
import { loadClient } from './load-client.ts';
import { StatusLine } from './status-line.ts';

const element = (id: string) => document.getElementById(id) as HTMLElement;
const { relay = '', topic = '', version = '0' } = document.body.dataset;

const statusLine = new StatusLine({ status: element('status'), log: element('log') });
const list = new CommentList(element('comments'), element('comment') as HTMLTemplateElement);
/** Everything up to here is shown. One's own comment may be there earlier, while others before it are not. */
let seenId = list.newestId;

async function fetchNews(signal: AbortSignal | null): Promise<void> {
  const response = await fetch(`/comments?after=${seenId}`, { signal });
  if (!response.ok) throw new Error(`the chat answers ${response.status}`);
  const news: News = await response.json();
  const count = list.show(news);
  seenId = Math.max(seenId, news.comments[0]?.id ?? 0);
  statusLine.note(`fetched: ${count || 'no'} new ${count === 1 ? 'comment' : 'comments'}`);
}

// What `heliograph.watch` makes: the page also looks now and then while no relay is there to give it a library.
const watch = createWatch(({ signal }) => fetchNews(signal));

const form = new CommentForm({
  form: element('form') as HTMLFormElement,
  error: element('error'),
  notice: element('notice'),
  saved: (comment) => void list.show({ comments: [comment], complete: true }),
  waiting: () => void fetchNews(null).catch(() => {}), // the answer is still to come, and so is the update
});

function statusChanged(status: Status): void {
  statusLine.show(status);
  watch.status(status);
}

for (const id of ['told', 'keys']) element(id).hidden = false;
statusChanged('connecting');
const { Heliograph } = await loadClient(relay, () => statusChanged('offline'));
// The page knows which update its comments contain: if there was one since, it is told of it.
const heliograph = new Heliograph(relay, { topics: [topic], since: { [topic]: Number(version) } });
heliograph.on('status', statusChanged);
heliograph.on('update', (update) => {
  statusLine.note(`told: ${topic} has changed`);
  form.published();
  watch.told(update);
});
statusChanged(heliograph.status);
