import type { DeliveryReceipt, ReceiptQuery, ReceiptReply, ReceiptResponder } from '../../shared/broker/receipts.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';

/** So many topics are answered for in a turn, if it is not one question that has more; the rest in the next ones. */
const MAX_TOPICS_PER_TURN = 100;
/** Questions that may wait; one too many is put again by who wants to know. */
const MAX_QUESTIONS = 256;

/**
 * Answers questions about what this relay has handed over: by the end of the turn, when what came before them has been,
 * and at the end of the next one, when that is written to the sockets, and it is known who fell behind.
 * Remembers none: a question that comes too early, or whose answer is lost, is put again.
 */
export class ReceiptAnswers {
  readonly #receipts: Pick<ReceiptResponder, 'reply'>;
  readonly #relay: string;
  readonly #clock: Clock;
  readonly #receiptOf: (topic: Topic) => DeliveryReceipt | undefined;
  readonly #questions = new Map<string, ReceiptQuery>();

  /** `receiptOf` tells how far this relay is with a topic; undefined where it knows nothing of it. */
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

  hear(question: ReceiptQuery): void {
    if (this.#questions.size >= MAX_QUESTIONS) return;
    this.#questions.set(question.id, question);
    if (this.#questions.size === 1) this.#clock.atTurnEnd(() => this.#answer());
  }

  #answer(): void {
    let topics = 0;
    for (const [id, question] of this.#questions) {
      topics += question.topics.length;
      if (topics > MAX_TOPICS_PER_TURN && topics > question.topics.length) break;
      this.#questions.delete(id);
      const handedOver = question.topics.map((topic) => this.#receiptOf(topic));
      this.#clock.atTurnEnd(() => this.#answerFor(question, handedOver));
    }
    if (this.#questions.size > 0) this.#clock.atTurnEnd(() => this.#answer());
  }

  #answerFor(question: ReceiptQuery, handedOver: ReceiptReply): void {
    // What was handed over since is not written yet.
    const answer = handedOver.map((receipt, i) => {
      const now = this.#receiptOf(question.topics[i] as Topic);
      return receipt && { ...receipt, ...now, version: receipt.version };
    });
    this.#receipts.reply(question, this.#relay, answer).catch(() => {});
  }
}
