import type { Topic } from '../../services/shared/update/topic.ts';
import type { SimulatedApp } from './simulated-app.ts';

/** What a client shows: for each topic that it listens to, a revision of the app's truth. */
export class Page {
  readonly #app: SimulatedApp;
  readonly #shown = new Map<Topic, number>();
  /** How often it was told to look. */
  told = 0;

  constructor(app: SimulatedApp) {
    this.#app = app;
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
  }

  /** Looks now, at what came along or else at the app. */
  update(topic: Topic, data: unknown): void {
    this.told += 1;
    if (!this.#shown.has(topic)) return;
    if (typeof data === 'number') this.#shown.set(topic, data);
    else this.load(topic);
  }

  forget(topic: Topic): void {
    this.#shown.delete(topic);
  }
}
