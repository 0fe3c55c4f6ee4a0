import type { Topic } from '../../shared/update/topic.ts';

/** Counts the subscribers of each topic. */
export class SubscriberCounts {
  readonly #counts = new Map<Topic, number>();

  /** Number of topics with a subscriber. */
  get size(): number {
    return this.#counts.size;
  }

  /** Iterates over all topics with a subscriber, and their counts. */
  entries(): Iterable<readonly [Topic, number]> {
    return this.#counts;
  }

  count(topic: Topic): number {
    return this.#counts.get(topic) ?? 0;
  }

  /** Adds a subscriber. Returns whether it is the topic's first. */
  add(topic: Topic): boolean {
    const count = this.count(topic) + 1;
    this.#counts.set(topic, count);
    return count === 1;
  }

  /** Removes a subscriber; must follow an `add`. Returns whether it was the topic's last. */
  remove(topic: Topic): boolean {
    const count = this.count(topic) - 1;
    if (count > 0) this.#counts.set(topic, count);
    else this.#counts.delete(topic);
    return count === 0;
  }
}
