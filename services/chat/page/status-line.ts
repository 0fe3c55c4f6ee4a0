import type { Status } from '../../client/heliograph-client.ts';

/** Texts for the states of the connection. */
const TEXTS: Readonly<Record<Status, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  stale: 'Stale: updates may be late',
  offline: 'Offline: reconnecting',
};

/** Most lines in the log. */
const MAX_LINES = 30;

/** Shows the state of the connection, and below the comments a log of what happened. */
export class StatusLine {
  readonly #status: HTMLElement;
  readonly #logElement: HTMLElement;

  constructor(elements: { status: HTMLElement; log: HTMLElement }) {
    this.#status = elements.status;
    this.#logElement = elements.log;
  }

  show(status: Status): void {
    if (this.#status.dataset.status === status) return;
    this.#status.dataset.status = status;
    this.#status.textContent = TEXTS[status];
    this.#status.hidden = false;
    this.log(`connection: ${status}`);
  }

  /** Adds a line to the log, on top. */
  log(text: string): void {
    const line = document.createElement('li');
    const time = document.createElement('time');
    time.textContent = new Date().toLocaleTimeString([], { hour12: false });
    line.append(time, ` ${text}`);
    this.#logElement.prepend(line);
    while (this.#logElement.children.length > MAX_LINES) this.#logElement.lastElementChild?.remove();
  }
}
