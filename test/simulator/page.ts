import type { Topic } from '../../services/shared/update/topic.ts';
import type { SimulatedApp } from './simulated-app.ts';

/** What a client shows: for each topic that it listens to, a revision of the app's truth. */
export class Page {
  readonly #app: SimulatedApp;
  readonly #note: (what: string) => void;
  readonly #shown = new Map<Topic, number>();
  /** How often it was told to look. */
  told = 0;

  /** `note` is told what the page does. */
  constructor(deps: { app: SimulatedApp; note: (what: string) => void }) {
    this.#app = deps.app;
    this.#note = deps.note;
  }

  get topics(): Iterable<Topic> {
    return this.#shown.keys();
  }

  has(topic: Topic): boolean {
    return this.#shown.has(topic);
  }

  shown(topic: Topic): number {
    return this.#shown.get(topic) ?? 0;
  }

  /** Fetches a topic from the app. */
  load(topic: Topic): void {
    this.#shown.set(topic, this.#app.truth(topic));
    this.#note(`loads #${this.shown(topic)} of ${topic}`);
  }

  /** Is told of a topic: shows what came along, or fetches. */
  update(topic: Topic, data?: unknown): void {
    this.told += 1;
    if (!this.#shown.has(topic)) return;
    if (typeof data === 'number') {
      this.#shown.set(topic, data);
      this.#note(`is told #${data} of ${topic}`);
    } else this.load(topic);
  }

  forget(topic: Topic): void {
    this.#shown.delete(topic);
  }
}
