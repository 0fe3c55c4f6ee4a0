import { randomUUID } from 'node:crypto';
import type { ReceiptQuerier, ReceiptQuery, ReceiptReply, RelayMembership } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import type { PublishedTopic } from './cluster-publisher.ts';
import { type DeliveryStatus, deliveryStatus } from './delivery-status.ts';

/** Interval at which the query is sent again, in milliseconds; it doubles each time. */
const FIRST_QUERY_INTERVAL_MS = 50;
const MAX_QUERY_INTERVAL_MS = 1000;
/** Interval at which the replies are read, in milliseconds; it doubles each time. */
const FIRST_READ_INTERVAL_MS = 2;
const MAX_READ_INTERVAL_MS = 100;

/**
 * A receipt query about published updates: sends it to all relays, reads their replies, and sends it again until the
 * result is sufficient. Failures are retried, because the updates are published anyway.
 */
export class ReceiptPoll {
  readonly #querier: ReceiptQuerier;
  readonly #clock: Clock;
  readonly #updates: readonly PublishedTopic[];
  readonly #query: ReceiptQuery;
  #membership: RelayMembership = { relays: [], missing: 1 };
  #replies: ReadonlyMap<string, ReceiptReply> = new Map();
  #sent = false;
  #stopped = false;

  /** @param deps.updates at least one */
  constructor(deps: { querier: ReceiptQuerier; clock: Clock; updates: readonly PublishedTopic[] }) {
    this.#querier = deps.querier;
    this.#clock = deps.clock;
    this.#updates = deps.updates;
    this.#query = { id: randomUUID(), topics: deps.updates.map(({ topic }) => topic) };
  }

  /** The delivery status by the replies that were read so far. */
  get status(): DeliveryStatus {
    return deliveryStatus(this.#updates, this.#membership, this.#replies);
  }

  /** Polls until the status is sufficient or `stop` is called. Never rejects. */
  async run(isSufficient: (status: DeliveryStatus) => boolean): Promise<void> {
    let queryIntervalMs = FIRST_QUERY_INTERVAL_MS;
    let readIntervalMs = FIRST_READ_INTERVAL_MS;
    let queryAtMs = this.#clock.monotonicMs();
    while (!this.#stopped) {
      if (this.#clock.monotonicMs() >= queryAtMs) {
        await this.#sendQuery();
        queryAtMs = this.#clock.monotonicMs() + queryIntervalMs;
        queryIntervalMs = Math.min(queryIntervalMs * 2, MAX_QUERY_INTERVAL_MS);
      }
      await new Promise<void>((resolve) => void this.#clock.after(readIntervalMs, resolve));
      readIntervalMs = Math.min(readIntervalMs * 2, MAX_READ_INTERVAL_MS);
      if (this.#stopped) return;
      await this.#readReplies();
      if (isSufficient(this.status)) return;
    }
  }

  /** Stops polling, and deletes the replies in the broker. */
  stop(): void {
    this.#stopped = true;
    this.#querier.deleteQuery(this.#query).catch(() => {}); // they expire anyway
  }

  async #sendQuery(): Promise<void> {
    const membership = this.#querier.membership().then((current) => {
      this.#membership = current;
    });
    // From the second time on, it is also stored for relays that the signal does not reach.
    const stored = this.#sent ? this.#querier.storeQuery(this.#query) : undefined;
    this.#sent = true;
    await Promise.allSettled([this.#querier.sendQuery(this.#query), membership, stored]);
  }

  async #readReplies(): Promise<void> {
    try {
      this.#replies = await this.#querier.readReplies(this.#query);
    } catch {
      // The replies read before remain valid: delivery cannot be undone.
    }
  }
}
