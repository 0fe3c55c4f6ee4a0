import type { Topic } from '../../services/shared/update/topic.ts';
import type { SimulatedApp } from './simulated-app.ts';

/** What a client displays: a revision of each topic that it has loaded. */
export class Page {
  readonly #app: SimulatedApp;
  readonly #log: (what: string) => void;
  readonly #shown = new Map<Topic, number>();
  /** The number of notifications received. */
  notified = 0;

  /** @param deps.log receives the actions of the page */
  constructor(deps: { app: SimulatedApp; log: (what: string) => void }) {
    this.#app = deps.app;
    this.#log = deps.log;
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
    this.#shown.set(topic, this.#app.current(topic));
    this.#log(`loads #${this.shown(topic)} of ${topic}`);
  }

  /** Handles a notification: displays its data, or fetches. */
  update(topic: Topic, data?: unknown): void {
    this.notified += 1;
    if (!this.#shown.has(topic)) return;
    if (typeof data === 'number') {
      this.#shown.set(topic, data);
      this.#log(`receives #${data} of ${topic}`);
    } else this.load(topic);
  }

  forget(topic: Topic): void {
    this.#shown.delete(topic);
  }
}
