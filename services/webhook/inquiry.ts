import { randomUUID } from 'node:crypto';
import type { ReceiptQuerier, ReceiptQuery, ReceiptReply, RelayMembership } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import type { PublishedTopic } from './cluster-publisher.ts';
import { type Delivery, judgeDelivery } from './delivery.ts';

/** How long until the question is put again, in milliseconds, twice as long each time. */
const FIRST_REPEAT_MS = 50;
const LAST_REPEAT_MS = 1000;
/** How long between two looks at the answers, in milliseconds, twice as long each time. */
const FIRST_LOOK_MS = 2;
const LAST_LOOK_MS = 100;

/**
 * One question to all relays about updates that are published: puts it, looks at the answers, and puts it again while
 * they are not what is hoped for. What fails is tried again: the updates are out, whatever becomes of this.
 */
export class Inquiry {
  readonly #receipts: ReceiptQuerier;
  readonly #clock: Clock;
  readonly #updates: readonly PublishedTopic[];
  readonly #question: ReceiptQuery;
  #census: RelayMembership = { relays: [], missing: 1 };
  #answers: ReadonlyMap<string, ReceiptReply> = new Map();
  #asked = false;
  #ended = false;

  constructor(deps: { receipts: ReceiptQuerier; clock: Clock; updates: readonly PublishedTopic[] }) {
    this.#receipts = deps.receipts;
    this.#clock = deps.clock;
    this.#updates = deps.updates;
    this.#question = { id: randomUUID(), topics: deps.updates.map(({ topic }) => topic) };
  }

  /** What is known by now. */
  get delivery(): Delivery {
    return judgeDelivery(this.#updates, this.#census, this.#answers);
  }

  /** Resolves once what is known is what is hoped for, or at the end. */
  async until(isHopedFor: (delivery: Delivery) => boolean): Promise<void> {
    let repeatMs = FIRST_REPEAT_MS;
    let lookMs = FIRST_LOOK_MS;
    let dueAtMs = this.#clock.monotonicMs();
    while (!this.#ended) {
      if (this.#clock.monotonicMs() >= dueAtMs) {
        await this.#ask();
        dueAtMs = this.#clock.monotonicMs() + repeatMs;
        repeatMs = Math.min(repeatMs * 2, LAST_REPEAT_MS);
      }
      await new Promise<void>((resolve) => void this.#clock.after(lookMs, resolve));
      lookMs = Math.min(lookMs * 2, LAST_LOOK_MS);
      if (this.#ended) return;
      await this.#look();
      if (isHopedFor(this.delivery)) return;
    }
  }

  /** Nobody waits any more. */
  end(): void {
    this.#ended = true;
    this.#receipts.deleteQuery(this.#question).catch(() => {});
  }

  async #ask(): Promise<void> {
    const census = this.#receipts.membership().then((relays) => {
      this.#census = relays;
    });
    const insisted = this.#asked ? this.#receipts.storeQuery(this.#question) : undefined;
    this.#asked = true;
    await Promise.allSettled([this.#receipts.sendQuery(this.#question), census, insisted]);
  }

  async #look(): Promise<void> {
    try {
      this.#answers = await this.#receipts.readReplies(this.#question);
    } catch {
      // What was answered before still holds: relays do not take anything back.
    }
  }
}
