import type { Topic } from '../../shared/update/topic.ts';

/** Somebody who joins topics: a client's session. */
export interface Subscriber {
  /** Whether the topic can be vouched for is known anew. */
  freshnessChanged(topic: Topic): void;
}

/** Members whose topics cannot be vouched for yet. */
export class PendingSubscribers {
  readonly #members = new Map<Topic, Set<Subscriber>>();

  /** The topics that somebody waits for. */
  get topics(): readonly Topic[] {
    return [...this.#members.keys()];
  }

  add(topic: Topic, member: Subscriber): void {
    const members = this.#members.get(topic);
    if (members) members.add(member);
    else this.#members.set(topic, new Set([member]));
  }

  remove(topic: Topic, member: Subscriber): void {
    const members = this.#members.get(topic);
    if (members?.delete(member) && members.size === 0) this.#members.delete(topic);
  }

  /** Calls all who wait for the topic; they go on waiting unless it is vouched for. */
  notify(topic: Topic, vouched: boolean): void {
    const members = this.#members.get(topic);
    if (!members) return;
    if (vouched) this.#members.delete(topic);
    for (const member of members) member.freshnessChanged(topic);
  }
}
