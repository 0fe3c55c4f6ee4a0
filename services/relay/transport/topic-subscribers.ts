import type { Topic } from '../../shared/update/topic.ts';

/** Who listens to which topic, where uWebSockets.js' own topics cannot be used. */
export class TopicSubscribers<T> {
  readonly #listeners = new Map<Topic, Set<T>>();

  add(topic: Topic, listener: T): void {
    const listeners = this.#listeners.get(topic);
    if (listeners) listeners.add(listener);
    else this.#listeners.set(topic, new Set([listener]));
  }

  remove(topic: Topic, listener: T): void {
    const listeners = this.#listeners.get(topic);
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(topic);
  }

  /** A copy: telling a listener may remove it. */
  of(topic: Topic): readonly T[] {
    return [...(this.#listeners.get(topic) ?? [])];
  }
}
