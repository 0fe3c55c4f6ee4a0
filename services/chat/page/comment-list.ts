import { hueOf, initialOf } from '../avatar.ts';
import type { Comment, CommentBatch } from '../comment.ts';

/** Most comments on a page that stays open. */
const MAX_SHOWN = 100;

/** The list of comments on the page, newest first. */
export class CommentList {
  readonly #list: HTMLElement;
  readonly #template: HTMLTemplateElement;

  /**
   * @param list contains the comments that the server has rendered
   * @param template an empty comment
   */
  constructor(list: HTMLElement, template: HTMLTemplateElement) {
    this.#list = list;
    this.#template = template;
    for (const item of this.#items) showLocalTime(item);
  }

  /** The greatest id in the list; 0 if it is empty. */
  get newestId(): number {
    return idOf(this.#items[0]);
  }

  /**
   * Inserts the comments that are missing in the list, in order, and removes those before a gap.
   *
   * @returns the number of comments inserted
   */
  show({ comments, complete }: CommentBatch): number {
    const oldestInBatch = comments.at(-1);
    if (!complete && oldestInBatch) this.#removeIf((id) => id < oldestInBatch.id);
    const missing = comments.filter(({ id }) => !this.#items.some((item) => idOf(item) === id));
    for (const comment of [...missing].reverse()) {
      const next = this.#items.find((item) => idOf(item) < comment.id);
      this.#list.insertBefore(this.#createItem(comment), next ?? null);
    }
    const oldest = idOf(this.#items[MAX_SHOWN - 1]);
    this.#removeIf((id) => id < oldest);
    return missing.length;
  }

  get #items(): readonly HTMLElement[] {
    return [...this.#list.children] as HTMLElement[];
  }

  #removeIf(condition: (id: number) => boolean): void {
    for (const item of this.#items) if (condition(idOf(item))) item.remove();
  }

  #createItem({ id, name, text }: Comment): HTMLElement {
    const item = this.#template.content.firstElementChild?.cloneNode(true) as HTMLElement;
    item.dataset.id = String(id);
    item.classList.add('fresh');
    const avatar = part(item, '.avatar');
    avatar.className = `avatar hue-${hueOf(name)}`;
    avatar.textContent = initialOf(name);
    part(item, '.name').textContent = name;
    part(item, '.text').textContent = text;
    part<HTMLTimeElement>(item, 'time').dateTime = new Date(id / 1000).toISOString();
    showLocalTime(item);
    return item;
  }
}

function idOf(item: HTMLElement | undefined): number {
  return Number(item?.dataset.id ?? 0);
}

function part<E extends HTMLElement>(item: HTMLElement, selector: string): E {
  return item.querySelector(selector) as E;
}

/** Shows the time in the browser's time zone, which the server does not know. */
function showLocalTime(item: HTMLElement): void {
  const element = part<HTMLTimeElement>(item, 'time');
  const time = new Date(element.dateTime);
  const isToday = time.toDateString() === new Date().toDateString();
  element.textContent = isToday
    ? time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : time.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  element.title = time.toLocaleString();
}
