import { decodeQuery, decodeReply, encodeQuery, encodeReply } from '../receipt-codec.ts';
import type { ReceiptQuery, ReceiptReply, Receipts, RelayMembership } from '../receipts.ts';
import { RECEIPT_TTL_MS } from '../retention.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisRelays } from './redis-relays.ts';
import { callRedis, type RedisTopology } from './redis-topology.ts';

/**
 * Receipts through Redis: a query is a signal, its replies are a hash. Both belong to the partition of the first topic,
 * so that a query follows the signal of its update, and fails only if publishing fails too. A stored query is kept
 * beside the relay registry.
 */
export class RedisReceipts implements Receipts {
  readonly #keys: RedisKeys;
  readonly #topology: RedisTopology;
  readonly #relays: RedisRelays;
  #handler: ((query: ReceiptQuery) => void) | undefined;

  constructor(deps: { keys: RedisKeys; topology: RedisTopology; relays: RedisRelays }) {
    this.#keys = deps.keys;
    this.#topology = deps.topology;
    this.#relays = deps.relays;
  }

  onQuery(handler: (query: ReceiptQuery) => void): void {
    this.#handler = handler;
  }

  /** Passes an encoded query to the handler; ignores an invalid one. */
  receive(text: string): void {
    const query = decodeQuery(text);
    if (query) this.#handler?.(query);
  }

  async sendQuery(query: ReceiptQuery): Promise<void> {
    const partition = this.#partitionOf(query);
    const channel = this.#keys.receiptChannel(partition);
    const text = encodeQuery(query);
    await callRedis(this.#topology, () => {
      const redis = this.#topology.commands(partition);
      return this.#topology.sharded ? redis.spublish(channel, text) : redis.publish(channel, text);
    });
  }

  async storeQuery(query: ReceiptQuery): Promise<void> {
    await this.#relays.storeQuery(query.id, encodeQuery(query));
  }

  async reply(query: ReceiptQuery, relayId: string, reply: ReceiptReply): Promise<void> {
    const partition = this.#partitionOf(query);
    const key = this.#keys.receiptReplies(partition, query.id);
    await callRedis(this.#topology, async () => {
      const redis = this.#topology.commands(partition);
      await Promise.all([redis.hset(key, relayId, encodeReply(reply)), redis.pexpire(key, RECEIPT_TTL_MS)]);
    });
  }

  async readReplies(query: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>> {
    const partition = this.#partitionOf(query);
    const key = this.#keys.receiptReplies(partition, query.id);
    const texts = await callRedis(this.#topology, () => this.#topology.commands(partition).hgetall(key));
    const replies = new Map<string, ReceiptReply>();
    for (const [relayId, text] of Object.entries(texts)) {
      const reply = decodeReply(text, query.topics.length);
      if (reply) replies.set(relayId, reply);
    }
    return replies;
  }

  async deleteQuery(query: ReceiptQuery): Promise<void> {
    const partition = this.#partitionOf(query);
    const key = this.#keys.receiptReplies(partition, query.id);
    await Promise.all([
      callRedis(this.#topology, () => this.#topology.commands(partition).pexpire(key, 0)), // deletes it; the ACL has no DEL
      this.#relays.storeQuery(query.id, ''),
    ]);
  }

  membership(): Promise<RelayMembership> {
    return this.#relays.membership();
  }

  #partitionOf({ topics }: ReceiptQuery): number {
    const [first] = topics;
    if (first === undefined) throw new TypeError('a receipt query needs a topic');
    return this.#keys.partitionOf(first);
  }
}
