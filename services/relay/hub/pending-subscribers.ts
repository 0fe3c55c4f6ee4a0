import type { Topic } from '../../shared/update/topic.ts';

/** A subscriber of topics: a client's session. */
export interface Subscriber {
  /** Called once a topic that it waits for is fresh, and each time that the relay becomes stale before that. */
  freshnessChanged(topic: Topic): void;
}

/** Subscribers that wait until their topics are fresh. */
export class PendingSubscribers {
  readonly #subscribers = new Map<Topic, Set<Subscriber>>();

  /** The topics that a subscriber waits for. */
  get topics(): readonly Topic[] {
    return [...this.#subscribers.keys()];
  }

  add(topic: Topic, subscriber: Subscriber): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers) subscribers.add(subscriber);
    else this.#subscribers.set(topic, new Set([subscriber]));
  }

  remove(topic: Topic, subscriber: Subscriber): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers?.delete(subscriber) && subscribers.size === 0) this.#subscribers.delete(topic);
  }

  /** Notifies the topic's subscribers. They wait no longer if it is fresh. */
  notify(topic: Topic, fresh: boolean): void {
    const subscribers = this.#subscribers.get(topic);
    if (!subscribers) return;
    if (fresh) this.#subscribers.delete(topic);
    for (const subscriber of subscribers) subscriber.freshnessChanged(topic);
  }
}
