import type { Comment } from '../comment.ts';
import { PENDING_NOTICE } from '../notices.ts';

/** After so many milliseconds without an answer the page looks whether the comment is there already. */
const IMPATIENT_MS = 300;
const NAME_KEY = 'heliograph-chat-name';
const UNREACHABLE = 'The chat cannot be reached, so this was not sent. Your words are still here: try again.';

/** What the form needs of the page. */
export interface CommentFormDeps {
  readonly form: HTMLFormElement;
  /** Says why a comment was not taken. */
  readonly error: HTMLElement;
  /** Says what to know of one that was. */
  readonly notice: HTMLElement;
  /** The comment is saved. */
  saved(comment: Comment): void;
  /** The answer takes a while; the comment is probably there. */
  waiting(): void;
}

/** Sends comments without leaving the page, and keeps the words of those that could not be sent. */
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
    // Without a keyboard there is no other key for a new line.
    if (matchMedia('(any-pointer: fine)').matches) this.#sendOnEnter();
  }

  /** The others have been told by now. */
  published(): void {
    this.#deps.notice.textContent = '';
  }

  #sendOnEnter(): void {
    this.#text.addEventListener('keydown', (event) => {
      // While letters are composed, Enter chooses among them.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#deps.form.requestSubmit();
    });
  }

  async #send(): Promise<void> {
    const { form, waiting } = this.#deps;
    const sent = { name: this.#name.value, text: this.#text.value };
    const impatience = setTimeout(waiting, IMPATIENT_MS);
    this.#button.disabled = true;
    this.#say('', '');
    try {
      const response = await fetch(form.action, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(sent),
      });
      const answer = await response.json();
      if (response.ok) this.#taken(sent, answer);
      else this.#say(`${answer.detail ?? answer.title}.`, '');
    } catch {
      this.#say(UNREACHABLE, '');
    } finally {
      clearTimeout(impatience);
      this.#button.disabled = false;
    }
  }

  #taken(sent: { name: string; text: string }, answer: { comment: Comment; published: boolean }): void {
    rememberName(sent.name);
    // Somebody may write on while the answer is awaited.
    if (this.#text.value === sent.text) this.#text.value = '';
    this.#text.focus();
    this.#deps.saved(answer.comment);
    this.#say('', answer.published ? '' : PENDING_NOTICE);
  }

  #say(error: string, notice: string): void {
    this.#deps.error.textContent = error;
    this.#deps.notice.textContent = notice;
  }
}

/** Where a browser keeps nothing, the name is forgotten. */
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
    // as above
  }
}
