import type { Clock } from '../../shared/process/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import { type InterestFeed, type InterestHandler, PartitionInterest } from './partition-interest.ts';

/**
 * Keeps the broker's watches equal to the topics that have members, each partition by itself: where one cannot be
 * reached, the topics of the others need not wait.
 */
export class TopicInterest {
  readonly #deps: { feed: InterestFeed; handler: InterestHandler; clock: Clock };
  readonly #partitions = new Map<number, PartitionInterest>();

  constructor(deps: { feed: InterestFeed; handler: InterestHandler; clock: Clock }) {
    this.#deps = deps;
  }

  /** The topic has its first member. */
  want(topic: Topic): void {
    const partition = this.#deps.feed.partitionOf(topic);
    const interest = this.#partitions.get(partition) ?? new PartitionInterest(this.#deps);
    this.#partitions.set(partition, interest);
    interest.want(topic);
  }

  /** The topic has lost its last member. */
  release(topic: Topic): void {
    this.#of(topic)?.release(topic);
  }

  /** Whether signals of the topic flow, as far as the broker has said. */
  isWatched(topic: Topic): boolean {
    return this.#of(topic)?.isWatched(topic) ?? false;
  }

  /** The watches of these partitions are void. */
  lost(partitions: readonly number[]): void {
    for (const partition of partitions) this.#partitions.get(partition)?.lost();
  }

  /** A digest of the partition names these topics, or may have left out any: what is being read may be older. */
  changed(partition: number, topics: Iterable<Topic> | 'all'): void {
    this.#partitions.get(partition)?.changed(topics);
  }

  /** The broker can be reached again: no need to wait for the next retry. */
  retryNow(): void {
    for (const interest of this.#partitions.values()) interest.retryNow();
  }

  stop(): void {
    for (const interest of this.#partitions.values()) interest.stop();
  }

  #of(topic: Topic): PartitionInterest | undefined {
    return this.#partitions.get(this.#deps.feed.partitionOf(topic));
  }
}
