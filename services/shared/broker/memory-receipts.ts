import { decodeQuery, decodeReply, encodeQuery, encodeReply } from './receipt-codec.ts';
import type { ReceiptQuery, ReceiptReply, Receipts, RelayMembership } from './receipts.ts';
import { RECEIPT_TTL_MS } from './retention.ts';

/** Receipts within one process. Asynchronous and encoded, as they are through Redis. */
export class MemoryReceipts implements Receipts {
  readonly #nowMs: () => number;
  readonly #relays: () => readonly string[];
  readonly #replies = new Map<string, { readonly byRelay: Map<string, string>; expiresAtMs: number }>();
  #handler: ((query: ReceiptQuery) => void) | undefined;

  /** @param deps.relays returns the ids of the registered relays */
  constructor(deps: { nowMs: () => number; relays: () => readonly string[] }) {
    this.#nowMs = deps.nowMs;
    this.#relays = deps.relays;
  }

  onQuery(handler: (query: ReceiptQuery) => void): void {
    this.#handler = handler;
  }

  async sendQuery(query: ReceiptQuery): Promise<void> {
    const text = encodeQuery(query);
    setImmediate(() => {
      const received = decodeQuery(text);
      if (received) this.#handler?.(received);
    });
  }

  /** Sends the query again: signals are not lost within one process. */
  storeQuery(query: ReceiptQuery): Promise<void> {
    return this.sendQuery(query);
  }

  async reply({ id }: ReceiptQuery, relayId: string, reply: ReceiptReply): Promise<void> {
    const now = this.#nowMs();
    for (const [old, { expiresAtMs }] of this.#replies) if (expiresAtMs <= now) this.#replies.delete(old);
    const byRelay = this.#replies.get(id)?.byRelay ?? new Map<string, string>();
    byRelay.set(relayId, encodeReply(reply));
    this.#replies.set(id, { byRelay, expiresAtMs: now + RECEIPT_TTL_MS });
  }

  async readReplies({ id, topics }: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>> {
    const replies = new Map<string, ReceiptReply>();
    for (const [relayId, text] of this.#replies.get(id)?.byRelay ?? []) {
      const reply = decodeReply(text, topics.length);
      if (reply) replies.set(relayId, reply);
    }
    return replies;
  }

  async deleteQuery({ id }: ReceiptQuery): Promise<void> {
    this.#replies.delete(id);
  }

  async membership(): Promise<RelayMembership> {
    const relays = this.#relays();
    return { relays, missing: relays.length === 0 ? 1 : 0 };
  }
}
