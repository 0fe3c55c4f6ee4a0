import type { ReceiptQuerier } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import { AppError } from '../shared/errors.ts';
import type { PublishedTopic } from './cluster-publisher.ts';
import type { Delivery } from './delivery.ts';
import { Inquiry } from './inquiry.ts';

/** How a wait for relays ended. */
export type WaitOutcome = 'delivered' | 'timeout' | 'aborted';

/** What the desk reports, for metrics. */
export interface ReceiptReport {
  /** Relays are asked about so many updates. */
  receiptsAsked(updates: number): void;
  /** A call that waited until an update was delivered is about to be answered, or its sender went away. */
  waited(outcome: WaitOutcome, seconds: number): void;
}

/** How long relays are given to answer, where nobody waits for more than that. */
const ANSWER_WITHIN_MS = 1000;

/** Where publishers learn what relays have handed over. So many calls may wait at a time, each for a bounded time. */
export class ReceiptDesk {
  readonly #receipts: ReceiptQuerier;
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  readonly #report: ReceiptReport;
  readonly #ends = new Set<() => void>();
  #waiting = 0;
  #closed = false;

  constructor(deps: { receipts: ReceiptQuerier; clock: Clock; maxWaiting: number; report: ReceiptReport }) {
    this.#receipts = deps.receipts;
    this.#clock = deps.clock;
    this.#maxWaiting = deps.maxWaiting;
    this.#report = deps.report;
  }

  /** Keeps a place for a call while it is dealt with. Throws `too_many_waiting` before that begins. */
  async withPlace<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#maxWaiting) throw new AppError('too_many_waiting');
    this.#waiting += 1;
    try {
      return await work();
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Asks how far relays are; resolves once all have answered, whatever that is, or after a second. */
  look(updates: readonly PublishedTopic[], gone: AbortSignal): Promise<Delivery> {
    const allAnswer = ({ receipts, missing }: Delivery) =>
      missing === undefined && receipts.every(({ relays }) => relays.every(({ state }) => state !== 'silent'));
    return this.#inquire(updates, { until: allAnswer, timeoutMs: ANSWER_WITHIN_MS, gone });
  }

  /** Resolves once every relay has handed the updates over, or when the time is up: then it says who has not. */
  async wait(updates: readonly PublishedTopic[], timeoutMs: number, gone: AbortSignal): Promise<Delivery> {
    const begunMs = this.#clock.monotonicMs();
    const delivery = await this.#inquire(updates, { until: ({ delivered }) => delivered, timeoutMs, gone });
    const outcome = delivery.delivered ? 'delivered' : gone.aborted ? 'aborted' : 'timeout';
    this.#report.waited(outcome, (this.#clock.monotonicMs() - begunMs) / 1000);
    return delivery;
  }

  /** All who wait are answered at once with what is known, and so is everybody who comes. */
  close(): void {
    this.#closed = true;
    for (const end of this.#ends) end();
  }

  async #inquire(
    updates: readonly PublishedTopic[],
    options: { until: (delivery: Delivery) => boolean; timeoutMs: number; gone: AbortSignal },
  ): Promise<Delivery> {
    const { until, timeoutMs, gone } = options;
    this.#report.receiptsAsked(updates.length);
    const inquiry = new Inquiry({ receipts: this.#receipts, clock: this.#clock, updates });
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const timer = this.#clock.after(timeoutMs, end);
    gone.addEventListener('abort', end);
    this.#ends.add(end);
    if (gone.aborted || this.#closed) end();
    await Promise.race([inquiry.until(until), ended]);
    this.#ends.delete(end);
    gone.removeEventListener('abort', end);
    timer.cancel();
    inquiry.end();
    return inquiry.delivery;
  }
}
