import type { Status } from '../../client/heliograph-client.ts';

/** What each state of the connection means to who looks at the page. */
const WORDS: Readonly<Record<Status, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  stale: 'Stale: news may come late',
  offline: 'Offline: trying again',
};

/** How many lines the log keeps. */
const MAX_LINES = 30;

/** Shows the state of the connection, and beneath the comments what happened so far. */
export class StatusLine {
  readonly #status: HTMLElement;
  readonly #log: HTMLElement;

  constructor(elements: { status: HTMLElement; log: HTMLElement }) {
    this.#status = elements.status;
    this.#log = elements.log;
  }

  show(status: Status): void {
    if (this.#status.dataset.status === status) return;
    this.#status.dataset.status = status;
    this.#status.textContent = WORDS[status];
    this.#status.hidden = false;
    this.note(`connection: ${status}`);
  }

  /** Adds a line to the log, on top. */
  note(words: string): void {
    const line = document.createElement('li');
    const time = document.createElement('time');
    time.textContent = new Date().toLocaleTimeString([], { hour12: false });
    line.append(time, ` ${words}`);
    this.#log.prepend(line);
    while (this.#log.children.length > MAX_LINES) this.#log.lastElementChild?.remove();
  }
}
