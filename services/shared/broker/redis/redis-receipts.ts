import { decodeQuery, decodeReply, encodeQuery, encodeReply } from '../receipt-codec.ts';
import type { ReceiptQuery, ReceiptReply, Receipts, RelayMembership } from '../receipts.ts';
import { RECEIPT_TTL_MS } from '../retention.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisRelays } from './redis-relays.ts';
import type { RedisTopology } from './redis-topology.ts';

/**
 * Receipts through Redis: a question is a signal to all relays, its answers are a hash that lives for seconds. Both
 * belong to the partition of the first topic, so that there they come after the signal of its update, and that they
 * fail only where publishing fails too. A question that signals may not bring is noted beside the relays' loads.
 */
export class RedisReceipts implements Receipts {
  readonly #keys: RedisKeys;
  readonly #topology: RedisTopology;
  readonly #relays: RedisRelays;
  readonly #attempt: <T>(call: () => Promise<T>) => Promise<T>;
  #handler: ((question: ReceiptQuery) => void) | undefined;

  /** `attempt` makes a call, and turns what Redis throws into the one error of the port. */
  constructor(deps: {
    keys: RedisKeys;
    topology: RedisTopology;
    relays: RedisRelays;
    attempt: <T>(call: () => Promise<T>) => Promise<T>;
  }) {
    this.#keys = deps.keys;
    this.#topology = deps.topology;
    this.#relays = deps.relays;
    this.#attempt = deps.attempt;
  }

  onQuery(handler: (question: ReceiptQuery) => void): void {
    this.#handler = handler;
  }

  /** A question has come, by a signal or along with the loads. */
  signal(text: string): void {
    const question = decodeQuery(text);
    if (question) this.#handler?.(question);
  }

  async sendQuery(question: ReceiptQuery): Promise<void> {
    const partition = this.#partitionOf(question);
    const channel = this.#keys.questionChannel(partition);
    const text = encodeQuery(question);
    await this.#attempt(() => {
      const redis = this.#topology.commands(partition);
      return this.#topology.sharded ? redis.spublish(channel, text) : redis.publish(channel, text);
    });
  }

  async reply(question: ReceiptQuery, relay: string, answer: ReceiptReply): Promise<void> {
    const partition = this.#partitionOf(question);
    const key = this.#keys.receipts(partition, question.id);
    await this.#attempt(async () => {
      const redis = this.#topology.commands(partition);
      await Promise.all([redis.hset(key, relay, encodeReply(answer)), redis.pexpire(key, RECEIPT_TTL_MS)]);
    });
  }

  async readReplies(question: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>> {
    const partition = this.#partitionOf(question);
    const key = this.#keys.receipts(partition, question.id);
    const texts = await this.#attempt(() => this.#topology.commands(partition).hgetall(key));
    const answers = new Map<string, ReceiptReply>();
    for (const [relay, text] of Object.entries(texts)) {
      const answer = decodeReply(text, question.topics.length);
      if (answer) answers.set(relay, answer);
    }
    return answers;
  }

  async deleteQuery(question: ReceiptQuery): Promise<void> {
    const partition = this.#partitionOf(question);
    const key = this.#keys.receipts(partition, question.id);
    await Promise.all([
      this.#attempt(() => this.#topology.commands(partition).pexpire(key, 0)), // at once
      this.#relays.noteQuestion(question.id, ''),
    ]);
  }

  async storeQuery(question: ReceiptQuery): Promise<void> {
    await this.#relays.noteQuestion(question.id, encodeQuery(question));
  }

  membership(): Promise<RelayMembership> {
    return this.#relays.census();
  }

  #partitionOf({ topics }: ReceiptQuery): number {
    const [first] = topics;
    if (first === undefined) throw new TypeError('a question needs a topic');
    return this.#keys.partitionOf(first);
  }
}
