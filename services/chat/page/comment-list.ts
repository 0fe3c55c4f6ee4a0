import type { Comment, News } from '../comment.ts';
import { hueOf, initialOf } from '../hue.ts';

/** How many comments a page that stays open holds. */
const MAX_SHOWN = 100;

/** The comments on the page, newest first. */
export class CommentList {
  readonly #list: HTMLElement;
  readonly #template: HTMLTemplateElement;

  /** `list` holds what the server has rendered; `template` a comment without words. */
  constructor(list: HTMLElement, template: HTMLTemplateElement) {
    this.#list = list;
    this.#template = template;
    for (const item of this.#items) showLocalTime(item);
  }

  /** The greatest id that is shown; 0 where there is nothing. */
  get newestId(): number {
    return idOf(this.#items[0]);
  }

  /** Shows what is not there yet, each where it belongs; returns how many that were. */
  show({ comments, complete }: News): number {
    const oldestNew = comments.at(-1);
    if (!complete && oldestNew) this.#removeWhere((id) => id < oldestNew.id);
    const fresh = comments.filter(({ id }) => !this.#items.some((item) => idOf(item) === id));
    for (const comment of [...fresh].reverse()) {
      const next = this.#items.find((item) => idOf(item) < comment.id);
      this.#list.insertBefore(this.#make(comment), next ?? null);
    }
    const oldest = idOf(this.#items[MAX_SHOWN - 1]);
    this.#removeWhere((id) => id < oldest);
    return fresh.length;
  }

  get #items(): readonly HTMLElement[] {
    return [...this.#list.children] as HTMLElement[];
  }

  #removeWhere(isGone: (id: number) => boolean): void {
    for (const item of this.#items) if (isGone(idOf(item))) item.remove();
  }

  #make({ id, name, text }: Comment): HTMLElement {
    const item = this.#template.content.firstElementChild?.cloneNode(true) as HTMLElement;
    item.dataset.id = String(id);
    item.classList.add('fresh');
    const face = part(item, '.face');
    face.className = `face hue-${hueOf(name)}`;
    face.textContent = initialOf(name);
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

/** The server knows no time zones; the browser does. */
function showLocalTime(item: HTMLElement): void {
  const element = part<HTMLTimeElement>(item, 'time');
  const time = new Date(element.dateTime);
  const isToday = time.toDateString() === new Date().toDateString();
  element.textContent = isToday
    ? time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : time.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  element.title = time.toLocaleString();
}
