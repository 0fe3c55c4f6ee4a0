import type { Topic } from '../update/topic.ts';
import type { Version } from '../update/update.ts';

/**
 * Delivery receipts: how far each relay is with the updates of a topic. No relay records deliveries for this. The
 * webhook broadcasts a query, and each relay replies with its current state; so updates that are never queried cost
 * nothing, and old ones can be queried too. Queries and replies may be lost: the caller repeats the query until every
 * relay has sent the reply it waits for, or until its time is up.
 *
 * Every method that returns a promise rejects with `broker_unavailable` if the broker does not reply within its deadline.
 */
export interface Receipts extends ReceiptQuerier, ReceiptResponder {}

/** The part that sends queries. Used by the webhook. */
export interface ReceiptQuerier {
  /** Signals a query to all relays. Best effort; safe to repeat with the same id. */
  sendQuery(query: ReceiptQuery): Promise<void>;
  /** Stores a query for ten seconds. Relays that signals do not reach find it when they exchange their load. */
  storeQuery(query: ReceiptQuery): Promise<void>;
  /** Returns the last reply of each relay that has replied, by relay id. */
  readReplies(query: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>>;
  /** Deletes a query and its replies. They also expire, ten seconds after the last reply. */
  deleteQuery(query: ReceiptQuery): Promise<void>;
  /** Returns the relays that are expected to reply. */
  membership(): Promise<RelayMembership>;
}

/** The part that replies to queries. Used by relays. */
export interface ReceiptResponder {
  /** Sets the handler of queries. Must be called once, before the broker is started. The same query may arrive again. */
  onQuery(handler: (query: ReceiptQuery) => void): void;
  /** Stores the reply of a relay, replacing its earlier reply to the same query. */
  reply(query: ReceiptQuery, relayId: string, reply: ReceiptReply): Promise<void>;
}

/** A query to all relays for the state of some topics. */
export interface ReceiptQuery {
  /** 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`; unique. */
  readonly id: string;
  /** 1 to `MAX_TOPICS_PER_REQUEST` topics. */
  readonly topics: readonly Topic[];
}

/** The state of one relay, aligned with the topics of the query; undefined for a topic that the relay does not have. */
export type ReceiptReply = readonly (DeliveryReceipt | undefined)[];

/** How far one relay is with a topic. */
export interface DeliveryReceipt {
  /** The version last delivered to the subscribers; 0 if none was yet. */
  readonly version: Version;
  /** Connections it was delivered to when it arrived. */
  readonly delivered: number;
  /** Connections subscribed now. Those that subscribed later received it on subscribing. */
  readonly subscribed: number;
  /** Subscribed connections that have not received it yet: slow ones, and those still paced. */
  readonly behind: number;
  /**
   * The floor of the topic's partition that the relay has acknowledged: a newer version was assigned later than another one
   * only if the broker has the same floor. Absent in replies of earlier releases.
   */
  readonly floor?: Version;
}

/** The relays whose registration has not expired, draining ones included. */
export interface RelayMembership {
  /** Relay ids, each once, in no particular order. */
  readonly relays: readonly string[];
  /**
   * At least this many relays that may be fresh may not be registered: the broker has lost entries, and they have not returned.
   * At least 1 if no relay is registered.
   */
  readonly missing: number;
}
