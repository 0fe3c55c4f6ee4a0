import type { Topic } from '../update/topic.ts';
import type { Version } from '../update/update.ts';

/**
 * How it is known what relays have handed over. Nobody keeps books of that: who wants to know puts a question to all
 * relays, and each answers how far it is. So an update that nobody asks about costs nothing, and one that was
 * published long ago can be asked about too. Questions and answers may be lost; the question is put again until
 * every relay that is known has answered what is hoped for, or time is up.
 *
 * Every method fails with `broker_unavailable` within the broker's deadline when the broker cannot be reached.
 */
export interface Receipts extends ReceiptQuerier, ReceiptResponder {}

/** The half that a webhook needs. */
export interface ReceiptQuerier {
  /** Puts the question to all relays that can hear it; putting it again is harmless. */
  sendQuery(question: ReceiptQuery): Promise<void>;
  /** Lets relays that signals do not reach find the question when they exchange their loads, for ten seconds. */
  storeQuery(question: ReceiptQuery): Promise<void>;
  /** The last answer of every relay that has answered, by its name, aligned with the question's topics. */
  readReplies(question: ReceiptQuery): Promise<ReadonlyMap<string, ReceiptReply>>;
  /** Throws the answers away; they are forgotten anyway, ten seconds after the last one. */
  deleteQuery(question: ReceiptQuery): Promise<void>;
  /** The relays from which answers are to be expected. */
  membership(): Promise<RelayMembership>;
}

/** The half that a relay needs. */
export interface ReceiptResponder {
  /** Names who is told of questions. Called once, before the broker starts. */
  onQuery(handler: (question: ReceiptQuery) => void): void;
  /** Answers, in place of what this relay has answered to the question before. */
  reply(question: ReceiptQuery, relay: string, answer: ReceiptReply): Promise<void>;
}

/** A question to all relays: how far are you with these topics? */
export interface ReceiptQuery {
  readonly id: string;
  /** At least one, and at most as many as one call may publish. */
  readonly topics: readonly Topic[];
}

/** Undefined for a topic of which a relay knows nothing, since nobody there listens to it. */
export type ReceiptReply = readonly (DeliveryReceipt | undefined)[];

/** How far one relay is with a topic. */
export interface DeliveryReceipt {
  /** What those who listen were told last; 0 where they are still to be told something. */
  readonly version: Version;
  /** Connections that it was handed to when it came. */
  readonly told: number;
  /** Connections that listen now: those that came later were told on coming. */
  readonly listening: number;
  /** Those among them that are still to take it: slow ones, and those whose moment within the spread is to come. */
  readonly behind: number;
}

/** The relays that said within the last ten seconds that they are there. */
export interface RelayMembership {
  readonly relays: readonly string[];
  /** At least so many more were there a moment ago: they have just gone, or the broker has lost them, and they come back. */
  readonly missing: number;
}
