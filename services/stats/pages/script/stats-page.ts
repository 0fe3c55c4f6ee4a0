import { replaceLiveParts } from './live-parts.ts';

/** Formats of times, without and with the date. */
const timeFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'medium' });

/** Converts all times of a document to the viewer's time zone. */
function showLocalTimes(page: Document): void {
  for (const time of page.querySelectorAll('time')) {
    const date = new Date(time.dateTime);
    time.title = time.dateTime;
    time.textContent = ('date' in time.dataset ? dateFormat : timeFormat).format(date);
  }
}

/** Adds keys to a timeline: arrows, Home and End move between rows, Escape closes a row. */
function addKeyboardNavigation(lanes: Element): void {
  lanes.addEventListener('keydown', (event) => {
    const { key, target } = event as KeyboardEvent;
    const rows = [...lanes.querySelectorAll('summary')];
    const at = rows.indexOf(target as HTMLElement);
    if (at < 0) return;
    if (key === 'Escape') return void rows[at]?.parentElement?.removeAttribute('open');
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[key];
    if (next === undefined) return;
    event.preventDefault();
    rows[next]?.focus();
  });
}

/** Loads a page. Its policy forbids to parse HTML from strings, so the browser does it. */
function loadPage(url: string): Promise<Document> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.responseType = 'document';
    request.timeout = 10_000;
    request.onload = () => {
      if (request.status === 200 && request.response) resolve(request.response);
      else reject(new Error(String(request.status)));
    };
    request.onerror = request.ontimeout = () => reject(new Error('no response'));
    request.open('GET', url);
    request.setRequestHeader('Accept', 'text/html');
    request.send();
  });
}

/** Shows the current state of this page at a URL, in place. */
async function refresh(url: string): Promise<void> {
  const status = document.getElementById('refreshed');
  const say = (text: string) => {
    if (status) status.textContent = `${text} ${timeFormat.format(new Date())}`;
  };
  try {
    const page = await loadPage(url);
    showLocalTimes(page);
    if (!replaceLiveParts(page)) return location.reload();
    say('Updated');
  } catch {
    say('Could not be updated at');
  }
}

/** Refreshes the page regularly, except while it is hidden or some of its text is selected. */
function refreshRegularly(seconds: number): void {
  setTimeout(async () => {
    if (!document.hidden && getSelection()?.isCollapsed !== false) await refresh(location.href);
    refreshRegularly(seconds);
  }, seconds * 1000);
}

/** Sorts tables in place, so that the page stays where it is. The URL has the order. */
function sortInPlace(): void {
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>('a.sort');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const url = link.href.replace(/#.*/, '');
    history.replaceState(null, '', url);
    void refresh(url);
  });
}

showLocalTimes(document);
for (const lanes of document.querySelectorAll('.lanes')) addKeyboardNavigation(lanes);
const seconds = Number(document.body.dataset.refresh);
if (seconds > 0) refreshRegularly(seconds);
sortInPlace();
