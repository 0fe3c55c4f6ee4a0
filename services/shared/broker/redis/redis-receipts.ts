import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from '../receipt-codec.ts';
import type { ReceiptAnswer, ReceiptQuestion, Receipts, RelayCensus } from '../receipts.ts';
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
  #handler: ((question: ReceiptQuestion) => void) | undefined;

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

  onQuestion(handler: (question: ReceiptQuestion) => void): void {
    this.#handler = handler;
  }

  /** A question has come, by a signal or along with the loads. */
  signal(text: string): void {
    const question = decodeQuestion(text);
    if (question) this.#handler?.(question);
  }

  async ask(question: ReceiptQuestion): Promise<void> {
    const partition = this.#partitionOf(question);
    const channel = this.#keys.questionChannel(partition);
    const text = encodeQuestion(question);
    await this.#attempt(() => {
      const redis = this.#topology.commands(partition);
      return this.#topology.sharded ? redis.spublish(channel, text) : redis.publish(channel, text);
    });
  }

  async answer(question: ReceiptQuestion, relay: string, answer: ReceiptAnswer): Promise<void> {
    const partition = this.#partitionOf(question);
    const key = this.#keys.receipts(partition, question.id);
    await this.#attempt(async () => {
      const redis = this.#topology.commands(partition);
      await Promise.all([redis.hset(key, relay, encodeAnswer(answer)), redis.pexpire(key, RECEIPT_TTL_MS)]);
    });
  }

  async answers(question: ReceiptQuestion): Promise<ReadonlyMap<string, ReceiptAnswer>> {
    const partition = this.#partitionOf(question);
    const key = this.#keys.receipts(partition, question.id);
    const texts = await this.#attempt(() => this.#topology.commands(partition).hgetall(key));
    const answers = new Map<string, ReceiptAnswer>();
    for (const [relay, text] of Object.entries(texts)) {
      const answer = decodeAnswer(text, question.topics.length);
      if (answer) answers.set(relay, answer);
    }
    return answers;
  }

  async forget(question: ReceiptQuestion): Promise<void> {
    const partition = this.#partitionOf(question);
    const key = this.#keys.receipts(partition, question.id);
    await Promise.all([
      this.#attempt(() => this.#topology.commands(partition).pexpire(key, 0)), // at once
      this.#relays.noteQuestion(question.id, ''),
    ]);
  }

  async insist(question: ReceiptQuestion): Promise<void> {
    await this.#relays.noteQuestion(question.id, encodeQuestion(question));
  }

  relays(): Promise<RelayCensus> {
    return this.#relays.census();
  }

  #partitionOf({ topics }: ReceiptQuestion): number {
    const [first] = topics;
    if (first === undefined) throw new TypeError('a question needs a topic');
    return this.#keys.partitionOf(first);
  }
}
