// The page's script. The server has rendered all there is; this adds what comes.
import type { Status } from '../../client/heliograph-client.ts';
import type { News } from '../comment.ts';
import { CommentForm } from './comment-form.ts';
import { CommentList } from './comment-list.ts';
import { loadClient } from './load-client.ts';
import { Refetch } from './refetch.ts';
import { StatusLine } from './status-line.ts';

const element = (id: string) => document.getElementById(id) as HTMLElement;
const { relay = '', topic = '', version = '0' } = document.body.dataset;

const statusLine = new StatusLine({ status: element('status'), log: element('log') });
const list = new CommentList(element('comments'), element('comment') as HTMLTemplateElement);
/** Everything up to here is shown. One's own comment may be there earlier, while others before it are not. */
let seenId = list.newestId;

const refetch = new Refetch(async () => {
  const response = await fetch(`/comments?after=${seenId}`);
  if (!response.ok) throw new Error(`the chat answers ${response.status}`);
  const news: News = await response.json();
  const count = list.show(news);
  seenId = Math.max(seenId, news.comments[0]?.id ?? 0);
  statusLine.note(`fetched: ${count || 'no'} new ${count === 1 ? 'comment' : 'comments'}`);
});

const form = new CommentForm({
  form: element('form') as HTMLFormElement,
  error: element('error'),
  notice: element('notice'),
  saved: (comment) => void list.show({ comments: [comment], complete: true }),
  waiting: () => refetch.now(),
});

function statusChanged(status: Status): void {
  statusLine.show(status);
  refetch.fallback(status !== 'live');
}

for (const id of ['told', 'keys']) element(id).hidden = false;
statusChanged('connecting');
const { Heliograph } = await loadClient(relay, () => statusChanged('offline'));
// The page knows which update its comments contain: if there was one since, it is told of it.
const heliograph = new Heliograph(relay, { topics: [topic], since: { [topic]: Number(version) } });
heliograph.on('status', statusChanged);
heliograph.on('update', ({ spread }) => {
  statusLine.note(`told: ${topic} has changed`);
  form.published();
  refetch.within(spread);
});
statusChanged(heliograph.status);
