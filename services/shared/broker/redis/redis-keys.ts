import calculateSlot from 'cluster-key-slot';
import type { Topic } from '../../update/topic.ts';

const SLOTS = 16_384;

/** The names of all keys and channels of a cluster. Everything of one partition shares a hash tag. */
export class RedisKeys {
  readonly partitions: number;
  readonly #prefix: string;
  readonly #tags: readonly string[];

  constructor(deps: { prefix: string; partitions: number }) {
    this.partitions = deps.partitions;
    this.#prefix = deps.prefix;
    this.#tags = chooseTags(deps.partitions);
  }

  partitionOf(topic: Topic): number {
    return calculateSlot(topic) % this.partitions;
  }

  config(): string {
    return `${this.#prefix}:config`;
  }

  relays(): string {
    return `${this.#prefix}:relays`;
  }

  /** Questions that relays have not heard; in the slot of the relays, so that they find them there. */
  questions(): string {
    return `${this.#prefix}:questions:{${this.relays()}}`;
  }

  /** The answer given to a publisher's call. */
  answer(id: string): string {
    return `${this.#prefix}:webhook:${id}`;
  }

  meta(partition: number): string {
    return `${this.#base(partition)}:meta`;
  }

  recent(partition: number): string {
    return `${this.#base(partition)}:recent`;
  }

  register(topic: Topic): string {
    return `${this.#base(this.partitionOf(topic))}:topic:${topic}`;
  }

  /** The answers to a question for receipts. */
  receipts(partition: number, id: string): string {
    return `${this.questionChannel(partition)}:${id}`;
  }

  /** Carries questions for receipts to all relays. */
  questionChannel(partition: number): string {
    return `${this.#base(partition)}:receipts`;
  }

  floorChannel(partition: number): string {
    return `${this.#base(partition)}:floor`;
  }

  updateChannel(topic: Topic): string {
    return `${this.#base(this.partitionOf(topic))}:update:${topic}`;
  }

  /** The slot of Redis Cluster in which a partition lives. */
  slot(partition: number): number {
    return calculateSlot(this.meta(partition));
  }

  /** Reads a channel's name: the topic whose updates it carries, the partition whose floor, or questions; or undefined. */
  parseChannel(channel: string): { topic: Topic } | { floorOf: number } | 'questions' | undefined {
    const end = channel.indexOf('}:');
    const rest = channel.slice(end + 2);
    if (end < 0) return undefined;
    if (rest.startsWith('update:')) return { topic: rest.slice('update:'.length) as Topic };
    if (rest === 'receipts') return 'questions';
    if (rest !== 'floor') return undefined;
    const tag = channel.slice(channel.indexOf('{') + 1, end);
    const partition = this.#tags.indexOf(tag);
    return partition < 0 ? undefined : { floorOf: partition };
  }

  #base(partition: number): string {
    return `${this.#prefix}:{${this.#tags[partition]}}`;
  }
}

/** One short tag a partition, each in its own equal share of Redis Cluster's slots, so that masters get equal numbers. */
function chooseTags(partitions: number): readonly string[] {
  const tags: string[] = new Array(partitions);
  let missing = partitions;
  for (let candidate = 0; missing > 0; candidate += 1) {
    const tag = candidate.toString(36);
    const share = Math.floor((calculateSlot(tag) * partitions) / SLOTS);
    if (tags[share] !== undefined) continue;
    tags[share] = tag;
    missing -= 1;
  }
  return tags;
}
