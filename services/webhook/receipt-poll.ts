import { randomUUID } from 'node:crypto';
import type { ReceiptQuerier, ReceiptQuery, ReceiptReply, RelayMembership } from '../shared/broker/receipts.ts';
import type { Clock } from '../shared/clock.ts';
import type { Topic } from '../shared/update/topic.ts';
import type { Version } from '../shared/update/update.ts';
import type { PublishedTopic } from './cluster-publisher.ts';
import { type DeliveryStatus, deliveryStatus, needsFloors } from './delivery-status.ts';

/** Interval at which the query is sent again, in milliseconds; it doubles each time. */
const FIRST_QUERY_INTERVAL_MS = 50;
const MAX_QUERY_INTERVAL_MS = 1000;
/** Interval at which the replies are read, in milliseconds; it doubles each time. */
const FIRST_READ_INTERVAL_MS = 2;
const MAX_READ_INTERVAL_MS = 100;

/** Reads the floor of each topic's partition, in their order. `seen`: versions of the topics that relays have. */
export type ReadFloors = (topics: readonly Topic[], seen: readonly Version[]) => Promise<readonly Version[]>;

/**
 * A receipt query about published updates: sends it to all relays, reads their replies, and sends it again until the
 * result is sufficient. Failures are retried, because the updates are published anyway.
 */
export class ReceiptPoll {
  readonly #querier: ReceiptQuerier;
  readonly #readFloors: ReadFloors;
  readonly #clock: Clock;
  readonly #updates: readonly PublishedTopic[];
  readonly #query: ReceiptQuery;
  #membership: RelayMembership = { relays: [], missing: 1 };
  #replies: ReadonlyMap<string, ReceiptReply> = new Map();
  /** Aligned with the updates; empty until a relay has a newer version. */
  #floors: readonly Version[] = [];
  #sent = false;
  #stopped = false;

  /** @param deps.updates at least one */
  constructor(deps: {
    querier: ReceiptQuerier;
    floors: ReadFloors;
    clock: Clock;
    updates: readonly PublishedTopic[];
  }) {
    this.#querier = deps.querier;
    this.#readFloors = deps.floors;
    this.#clock = deps.clock;
    this.#updates = deps.updates;
    this.#query = { id: randomUUID(), topics: deps.updates.map(({ topic }) => topic) };
  }

  /** The delivery status by the replies that were read so far. */
  get status(): DeliveryStatus {
    return deliveryStatus(this.#updates, this.#membership, this.#replies, this.#floors);
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
      if (needsFloors(this.#updates, this.#replies, this.#floors)) {
        const replies = [...this.#replies.values()];
        const seen = this.#updates.map((_, i) => Math.max(...replies.map((reply) => reply[i]?.version ?? 0)));
        this.#floors = await this.#readFloors(this.#query.topics, seen);
      }
    } catch {
      // The replies read before remain valid: delivery cannot be undone.
    }
  }
}
