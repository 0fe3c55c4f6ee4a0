import type { ReceiptQuerier } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import { AppError } from '../shared/errors.ts';
import type { PublishedTopic } from './cluster-publisher.ts';
import type { DeliveryStatus } from './delivery-status.ts';
import { type ReadFloors, ReceiptPoll } from './receipt-poll.ts';

/** The result of waiting for delivery; `aborted`: the caller has disconnected. */
export type WaitOutcome = 'delivered' | 'timeout' | 'aborted';

/** Observes receipt queries, for metrics. */
export interface ReceiptReport {
  /** A receipt query about this number of updates was started. */
  receiptsQueried(updates: number): void;
  /** A wait for delivery has ended, after this number of seconds. */
  waitEnded(outcome: WaitOutcome, seconds: number): void;
}

/** Time that relays are given to reply to a query that does not wait for delivery. */
const REPLY_TIMEOUT_MS = 1000;

/** Collects delivery receipts from all relays, for a limited number of calls at a time. */
export class DeliveryReceipts {
  readonly #querier: ReceiptQuerier;
  readonly #floors: ReadFloors;
  readonly #clock: Clock;
  readonly #maxCalls: number;
  readonly #report: ReceiptReport;
  readonly #stops = new Set<() => void>();
  #calls = 0;
  #closed = false;

  /** @param deps.maxCalls the number of calls that `withinLimit` runs at a time */
  constructor(deps: {
    querier: ReceiptQuerier;
    floors: ReadFloors;
    clock: Clock;
    maxCalls: number;
    report: ReceiptReport;
  }) {
    this.#querier = deps.querier;
    this.#floors = deps.floors;
    this.#clock = deps.clock;
    this.#maxCalls = deps.maxCalls;
    this.#report = deps.report;
  }

  /**
   * Runs `work`, unless the limit of calls is reached.
   *
   * @throws {AppError} too_many_waiting, before `work` begins
   */
  async withinLimit<T>(work: () => Promise<T>): Promise<T> {
    if (this.#calls >= this.#maxCalls) throw new AppError('too_many_waiting');
    this.#calls += 1;
    try {
      return await work();
    } finally {
      this.#calls -= 1;
    }
  }

  /** Queries the current status. Resolves once all relays have replied, or after a second. */
  query(updates: readonly PublishedTopic[], disconnected: AbortSignal): Promise<DeliveryStatus> {
    const allReplied = ({ receipts, missing }: DeliveryStatus) =>
      missing === undefined && receipts.every(({ relays }) => relays.every(({ state }) => state !== 'silent'));
    return this.#poll(updates, { until: allReplied, timeoutMs: REPLY_TIMEOUT_MS, disconnected });
  }

  /** Resolves once all relays have delivered the updates, or with the current status after `timeoutMs`. */
  async waitUntilDelivered(
    updates: readonly PublishedTopic[],
    timeoutMs: number,
    disconnected: AbortSignal,
  ): Promise<DeliveryStatus> {
    const startMs = this.#clock.monotonicMs();
    const status = await this.#poll(updates, { until: ({ delivered }) => delivered, timeoutMs, disconnected });
    const outcome = status.delivered ? 'delivered' : disconnected.aborted ? 'aborted' : 'timeout';
    this.#report.waitEnded(outcome, (this.#clock.monotonicMs() - startMs) / 1000);
    return status;
  }

  /** Ends all waits with the current status; later ones end at once. */
  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
  }

  async #poll(
    updates: readonly PublishedTopic[],
    options: { until: (status: DeliveryStatus) => boolean; timeoutMs: number; disconnected: AbortSignal },
  ): Promise<DeliveryStatus> {
    const { until, timeoutMs, disconnected } = options;
    this.#report.receiptsQueried(updates.length);
    const poll = new ReceiptPoll({ querier: this.#querier, floors: this.#floors, clock: this.#clock, updates });
    let stop = () => {};
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const timer = this.#clock.after(timeoutMs, stop);
    disconnected.addEventListener('abort', stop);
    this.#stops.add(stop);
    if (disconnected.aborted || this.#closed) stop();
    await Promise.race([poll.run(until), stopped]);
    this.#stops.delete(stop);
    disconnected.removeEventListener('abort', stop);
    timer.cancel();
    poll.stop();
    return poll.status;
  }
}
