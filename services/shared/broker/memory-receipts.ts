import { decodeQuery, decodeReply, encodeQuery, encodeReply } from './receipt-codec.ts';
import type { ReceiptQuery, ReceiptReply, Receipts, RelayMembership } from './receipts.ts';
import { RECEIPT_TTL_MS } from './retention.ts';

/** Receipts within one process. Asynchronous and from encoded text, as they are through Redis. */
export class MemoryReceipts implements Receipts {
  readonly #nowMs: () => number;
  readonly #relays: () => readonly string[];
  readonly #answers = new Map<string, { readonly byRelay: Map<string, string>; expiresAtMs: number }>();
  #handler: ((question: ReceiptQuery) => void) | undefined;

  /** `relays` are the names of those that are there. */
  constructor(deps: { nowMs: () => number; relays: () => readonly string[] }) {
    this.#nowMs = deps.nowMs;
    this.#relays = deps.relays;
  }

  onQuery(handler: (question: ReceiptQuery) => void): void {
    this.#handler = handler;
  }

  async sendQuery(question: ReceiptQuery): Promise<void> {
    const text = encodeQuery(question);
    setImmediate(() => {
      const heard = decodeQuery(text);
      if (heard) this.#handler?.(heard);
    });
  }

  /** Nothing is lost within one process. */
  storeQuery(question: ReceiptQuery): Promise<void> {
    return this.sendQuery(question);
  }

  async reply({ id }: ReceiptQuery, relay: string, answer: ReceiptReply): Promise<void> {
    const now = this.#nowMs();
    for (const [old, { expiresAtMs }] of this.#answers) if (expiresAtMs <= now) this.#answers.delete(old);
    const byRelay = this.#answers.get(id)?.byRelay ?? new Map<string, string>();
    byRelay.set(relay, encodeReply(answer));
    this.#answers.set(id, { byRelay, expiresAtMs: now + RECEIPT_TTL_MS });
  }

  async readReplies({ id, topics }: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>> {
    const answers = new Map<string, ReceiptReply>();
    for (const [relay, text] of this.#answers.get(id)?.byRelay ?? []) {
      const answer = decodeReply(text, topics.length);
      if (answer) answers.set(relay, answer);
    }
    return answers;
  }

  async deleteQuery({ id }: ReceiptQuery): Promise<void> {
    this.#answers.delete(id);
  }

  async membership(): Promise<RelayMembership> {
    const relays = this.#relays();
    return { relays, missing: relays.length === 0 ? 1 : 0 };
  }
}
