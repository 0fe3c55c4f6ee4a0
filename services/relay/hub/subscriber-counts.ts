import type { Topic } from '../../shared/update/topic.ts';

/** Counts the members of each topic, and says who is the first and the last. */
export class SubscriberCounts {
  readonly #counts = new Map<Topic, number>();

  /** Topics that have members. */
  get size(): number {
    return this.#counts.size;
  }

  count(topic: Topic): number {
    return this.#counts.get(topic) ?? 0;
  }

  /** Adds a member; true where it is the first. */
  join(topic: Topic): boolean {
    const count = this.count(topic) + 1;
    this.#counts.set(topic, count);
    return count === 1;
  }

  /** Removes a member; true where it was the last. Must follow a join. */
  leave(topic: Topic): boolean {
    const count = this.count(topic) - 1;
    if (count > 0) this.#counts.set(topic, count);
    else this.#counts.delete(topic);
    return count === 0;
  }
}
