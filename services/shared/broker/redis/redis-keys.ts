import calculateSlot from 'cluster-key-slot';
import type { Topic } from '../../update/topic.ts';

const SLOTS = 16_384;

/** What a channel carries: updates of a topic, raises of a partition's floor, or receipt queries. */
export type Channel =
  | { readonly kind: 'update'; readonly topic: Topic }
  | { readonly kind: 'floor'; readonly partition: number }
  | { readonly kind: 'receipts' };

/** Names the keys and channels of a cluster. All names of one partition share a hash tag. */
export class RedisKeys {
  readonly partitions: number;
  readonly #prefix: string;
  readonly #channelPrefix: string;
  readonly #tags: readonly string[];

  /** @param deps.database part of the channels' names, since pub/sub reaches all databases of a server; 0 is left out */
  constructor(deps: { prefix: string; partitions: number; database?: number }) {
    const { prefix, partitions, database = 0 } = deps;
    this.partitions = partitions;
    this.#prefix = prefix;
    this.#channelPrefix = database === 0 ? prefix : `${prefix}:${database}`;
    this.#tags = chooseTags(partitions);
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

  /** The record of the relay registry's creation and losses, in its slot. */
  registry(): string {
    return `${this.#prefix}:registry:{${this.relays()}}`;
  }

  /** A summary of the relay registry, in its slot. */
  relaySummary(): string {
    return `${this.#prefix}:summary:{${this.relays()}}`;
  }

  /** The stored receipt queries; in the slot of the relay registry, so that one script reads both. */
  receiptQueries(): string {
    return `${this.#prefix}:questions:{${this.relays()}}`;
  }

  /** The response stored under an idempotency key. */
  response(idempotencyKey: string): string {
    return `${this.#prefix}:webhook:${idempotencyKey}`;
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

  /** The newest update of a topic that has `data`, until the `data` expires. */
  data(topic: Topic): string {
    return `${this.#base(this.partitionOf(topic))}:data:${topic}`;
  }

  /** The replies to a receipt query. */
  receiptReplies(partition: number, id: string): string {
    return `${this.#base(partition)}:receipts:${id}`;
  }

  /** The channel of receipt queries. */
  receiptChannel(partition: number): string {
    return this.#channel(partition, 'receipts');
  }

  floorChannel(partition: number): string {
    return this.#channel(partition, 'floor');
  }

  /** The channel of the markers that one subscriber connection waits for. */
  markerChannel(partition: number, connectionId: string): string {
    return this.#channel(partition, `marker:${connectionId}`);
  }

  updateChannel(topic: Topic): string {
    return this.#channel(this.partitionOf(topic), `update:${topic}`);
  }

  /** Returns the Redis Cluster slot of a partition. */
  slot(partition: number): number {
    return calculateSlot(this.meta(partition));
  }

  /** Parses the name of a channel; returns undefined for other names. */
  parseChannel(channel: string): Channel | undefined {
    const end = channel.indexOf('}:');
    const rest = channel.slice(end + 2);
    if (end < 0) return undefined;
    if (rest.startsWith('update:')) return { kind: 'update', topic: rest.slice('update:'.length) as Topic };
    if (rest === 'receipts') return { kind: 'receipts' };
    if (rest !== 'floor') return undefined;
    const tag = channel.slice(channel.indexOf('{') + 1, end);
    const partition = this.#tags.indexOf(tag);
    return partition < 0 ? undefined : { kind: 'floor', partition };
  }

  #base(partition: number): string {
    return `${this.#prefix}:{${this.#tags[partition]}}`;
  }

  #channel(partition: number, name: string): string {
    return `${this.#channelPrefix}:{${this.#tags[partition]}}:${name}`;
  }
}

/** Returns one short tag per partition, each in its own equal share of the cluster's slots, so that masters get equal numbers. */
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
