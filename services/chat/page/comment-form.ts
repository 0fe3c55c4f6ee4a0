import type { Comment } from '../comment.ts';
import { UNPUBLISHED_NOTICE } from '../notices.ts';

/** After this time without an answer, the page checks if the comment is saved already. */
const SLOW_MS = 300;
const NAME_KEY = 'heliograph-chat-name';
const UNREACHABLE = 'The chat cannot be reached. Your comment was not sent and is still here: please try again.';

/** Elements and callbacks of the form. */
export interface CommentFormDeps {
  readonly form: HTMLFormElement;
  /** Shows why a comment was rejected. */
  readonly error: HTMLElement;
  /** Shows that a saved comment is not published yet. */
  readonly notice: HTMLElement;
  /** Called when the comment is saved. */
  saved(comment: Comment): void;
  /** Called if the answer takes more than 300 ms; the comment is probably saved already. */
  slow(): void;
}

/** Sends comments without leaving the page, and keeps the text of a comment that could not be sent. */
export class CommentForm {
  readonly #deps: CommentFormDeps;
  readonly #name: HTMLInputElement;
  readonly #text: HTMLTextAreaElement;
  readonly #button: HTMLButtonElement;

  constructor(deps: CommentFormDeps) {
    const { form } = deps;
    this.#deps = deps;
    this.#name = form.elements.namedItem('name') as HTMLInputElement;
    this.#text = form.elements.namedItem('text') as HTMLTextAreaElement;
    this.#button = form.querySelector('button') as HTMLButtonElement;
    this.#name.value ||= recallName();
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.#button.disabled) void this.#send();
    });
    // On a touch keyboard, Enter is the only key for a new line.
    if (matchMedia('(any-pointer: fine)').matches) this.#sendOnEnter();
  }

  /** Removes the notice: an update has arrived, so the comment is published. */
  published(): void {
    this.#deps.notice.textContent = '';
  }

  #sendOnEnter(): void {
    this.#text.addEventListener('keydown', (event) => {
      // During IME composition, Enter confirms the candidate.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#deps.form.requestSubmit();
    });
  }

  async #send(): Promise<void> {
    const { form, slow } = this.#deps;
    const sent = { name: this.#name.value, text: this.#text.value };
    const slowTimer = setTimeout(slow, SLOW_MS);
    this.#button.disabled = true;
    this.#showMessages('', '');
    try {
      const response = await fetch(form.action, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(sent),
      });
      const answer = await response.json();
      if (response.ok) this.#saved(sent, answer);
      else this.#showMessages(`${answer.detail ?? answer.title}.`, '');
    } catch {
      this.#showMessages(UNREACHABLE, '');
    } finally {
      clearTimeout(slowTimer);
      this.#button.disabled = false;
    }
  }

  #saved(sent: { name: string; text: string }, answer: { comment: Comment; published: boolean }): void {
    rememberName(sent.name);
    // The author may have gone on writing.
    if (this.#text.value === sent.text) this.#text.value = '';
    this.#text.focus();
    this.#deps.saved(answer.comment);
    this.#showMessages('', answer.published ? '' : UNPUBLISHED_NOTICE);
  }

  #showMessages(error: string, notice: string): void {
    this.#deps.error.textContent = error;
    this.#deps.notice.textContent = notice;
  }
}

/** Returns the remembered name; empty if the browser stores nothing. */
function recallName(): string {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    return '';
  }
}

function rememberName(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // Storage is off or full: the name is not remembered.
  }
}
