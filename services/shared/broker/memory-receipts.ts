import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from './receipt-codec.ts';
import type { ReceiptAnswer, ReceiptQuestion, Receipts, RelayCensus } from './receipts.ts';
import { RECEIPT_TTL_MS } from './retention.ts';

/** Receipts within one process. Asynchronous and from encoded text, as they are through Redis. */
export class MemoryReceipts implements Receipts {
  readonly #nowMs: () => number;
  readonly #relays: () => readonly string[];
  readonly #answers = new Map<string, { readonly byRelay: Map<string, string>; expiresAtMs: number }>();
  #handler: ((question: ReceiptQuestion) => void) | undefined;

  /** `relays` are the names of those that are there. */
  constructor(deps: { nowMs: () => number; relays: () => readonly string[] }) {
    this.#nowMs = deps.nowMs;
    this.#relays = deps.relays;
  }

  onQuestion(handler: (question: ReceiptQuestion) => void): void {
    this.#handler = handler;
  }

  async ask(question: ReceiptQuestion): Promise<void> {
    const text = encodeQuestion(question);
    setImmediate(() => {
      const heard = decodeQuestion(text);
      if (heard) this.#handler?.(heard);
    });
  }

  /** Nothing is lost within one process. */
  insist(question: ReceiptQuestion): Promise<void> {
    return this.ask(question);
  }

  async answer({ id }: ReceiptQuestion, relay: string, answer: ReceiptAnswer): Promise<void> {
    const now = this.#nowMs();
    for (const [old, { expiresAtMs }] of this.#answers) if (expiresAtMs <= now) this.#answers.delete(old);
    const byRelay = this.#answers.get(id)?.byRelay ?? new Map<string, string>();
    byRelay.set(relay, encodeAnswer(answer));
    this.#answers.set(id, { byRelay, expiresAtMs: now + RECEIPT_TTL_MS });
  }

  async answers({ id, topics }: ReceiptQuestion): Promise<ReadonlyMap<string, ReceiptAnswer>> {
    const answers = new Map<string, ReceiptAnswer>();
    for (const [relay, text] of this.#answers.get(id)?.byRelay ?? []) {
      const answer = decodeAnswer(text, topics.length);
      if (answer) answers.set(relay, answer);
    }
    return answers;
  }

  async forget({ id }: ReceiptQuestion): Promise<void> {
    this.#answers.delete(id);
  }

  async relays(): Promise<RelayCensus> {
    const names = this.#relays();
    return { names, missing: names.length === 0 ? 1 : 0 };
  }
}
