import type { Receipt, ReceiptAnswering, ReceiptQuestion } from '../../shared/broker/receipts.ts';
import type { Clock } from '../../shared/process/clock.ts';
import { MAX_TOPICS_PER_REQUEST } from '../../shared/protocol/publish-request.ts';
import type { Topic } from '../../shared/update/topic.ts';

/** The most topics that are answered for at the end of a turn, unless it is a single question. */
const MAX_TOPICS_PER_TURN = MAX_TOPICS_PER_REQUEST;

/**
 * Answers questions about what this relay has handed over, at the end of the turn, when what came before them has been.
 * Remembers nothing: a question that comes too early, or is one too many, or whose answer is lost, is put again.
 */
export class ReceiptAnswers {
  readonly #receipts: ReceiptAnswering;
  readonly #relay: string;
  readonly #clock: Clock;
  readonly #receiptOf: (topic: Topic) => Receipt | undefined;
  #questions = new Map<string, ReceiptQuestion>();
  #topics = 0;

  /** `receiptOf` tells how far this relay is with a topic; undefined where it knows nothing of it. */
  constructor(deps: {
    receipts: ReceiptAnswering;
    relay: string;
    clock: Clock;
    receiptOf: (topic: Topic) => Receipt | undefined;
  }) {
    this.#receipts = deps.receipts;
    this.#relay = deps.relay;
    this.#clock = deps.clock;
    this.#receiptOf = deps.receiptOf;
    deps.receipts.onQuestion((question) => this.#hear(question));
  }

  #hear(question: ReceiptQuestion): void {
    const topics = this.#topics + question.topics.length;
    if (this.#questions.has(question.id) || (this.#topics > 0 && topics > MAX_TOPICS_PER_TURN)) return;
    this.#questions.set(question.id, question);
    this.#topics = topics;
    if (this.#questions.size === 1) this.#clock.atTurnEnd(() => this.#answer());
  }

  #answer(): void {
    const questions = this.#questions;
    this.#questions = new Map();
    this.#topics = 0;
    for (const question of questions.values()) {
      const answer = question.topics.map((topic) => this.#receiptOf(topic));
      this.#receipts.answer(question, this.#relay, answer).catch(() => {});
    }
  }
}
