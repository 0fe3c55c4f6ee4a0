import type { DeliveryReceipt, ReceiptQuery, ReceiptReply, ReceiptResponder } from '../../shared/broker/receipts.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';

/** Topics to reply for in one turn. A single query may have more; further queries wait for the next turn. */
const MAX_TOPICS_PER_TURN = 100;
/** Queries that may wait. Further ones are dropped: the webhook repeats them. */
const MAX_QUERIES = 256;

/**
 * Replies to receipt queries of webhooks. Reads what was delivered at the end of the turn, after everything that arrived
 * before the query was delivered, and replies at the end of the next one, when it was written to the sockets and the
 * connections that fell behind are known. Keeps no query: a webhook repeats one that came too early or whose reply was lost.
 */
export class ReceiptQueryHandler {
  readonly #receipts: Pick<ReceiptResponder, 'reply'>;
  readonly #relay: string;
  readonly #clock: Clock;
  readonly #receiptOf: (topic: Topic) => DeliveryReceipt | undefined;
  readonly #queries = new Map<string, ReceiptQuery>();

  /**
   * @param deps.relay the id of this relay
   * @param deps.receiptOf returns the receipt of a topic now; undefined for a topic that this relay does not have
   */
  constructor(deps: {
    receipts: Pick<ReceiptResponder, 'reply'>;
    relay: string;
    clock: Clock;
    receiptOf: (topic: Topic) => DeliveryReceipt | undefined;
  }) {
    this.#receipts = deps.receipts;
    this.#relay = deps.relay;
    this.#clock = deps.clock;
    this.#receiptOf = deps.receiptOf;
  }

  handle(query: ReceiptQuery): void {
    if (this.#queries.size >= MAX_QUERIES) return;
    this.#queries.set(query.id, query);
    if (this.#queries.size === 1) this.#clock.atTurnEnd(() => this.#readReceipts());
  }

  #readReceipts(): void {
    let topics = 0;
    for (const [id, query] of this.#queries) {
      topics += query.topics.length;
      if (topics > MAX_TOPICS_PER_TURN && topics > query.topics.length) break;
      this.#queries.delete(id);
      const delivered = query.topics.map((topic) => this.#receiptOf(topic));
      this.#clock.atTurnEnd(() => this.#reply(query, delivered));
    }
    if (this.#queries.size > 0) this.#clock.atTurnEnd(() => this.#readReceipts());
  }

  #reply(query: ReceiptQuery, delivered: ReceiptReply): void {
    // The version stays the one read before: a newer one delivered since is not written to the sockets yet.
    const reply = delivered.map((receipt, i) => {
      const now = this.#receiptOf(query.topics[i] as Topic);
      return receipt && { ...receipt, ...now, version: receipt.version };
    });
    this.#receipts.reply(query, this.#relay, reply).catch(() => {});
  }
}
