import type { Topic } from '../update/topic.ts';
import type { Update, UpdateBody, Version } from '../update/update.ts';
import type { Receipts } from './receipts.ts';

/**
 * What carries updates between processes. Topics are spread over partitions; versions grow within one,
 * so a version is also a cursor into its partition.
 *
 * Every method fails with `broker_unavailable` within the broker's deadline when the broker cannot be
 * reached. A call that failed may have taken effect or not, or take it when a frozen server wakes up; none is repeated.
 */
export interface Broker extends BrokerPublisher, BrokerFeed, IdempotencyStore, RelayRegistry {
  readonly receipts: Receipts;
  /** Connects. Resolves when usable; rejects where this process must not take part (other settings). */
  start(): Promise<void>;
  /** Closes every connection; calls under way fail. Idempotent. */
  stop(): Promise<void>;
}

interface Partitioned {
  readonly partitions: number;
  partitionOf(topic: Topic): number;
  /**
   * The state of a partition and what changed after `cursor` (exclusive), oldest first and bounded.
   * Checks the history first: where it changed, the floor is raised before the answer is made.
   */
  digest(partition: number, witness: Witness, cursor: Version): Promise<Digest>;
}

/** The half of a broker that a webhook needs. */
export interface BrokerPublisher extends Partitioned {
  /**
   * Assigns the next version, stores, indexes and signals the update, all or nothing. The version is
   * above every one that the partition or the witness has seen.
   */
  publish(topic: Topic, body: UpdateBody, witness: Witness): Promise<Published>;
}

/** Answers that were given to publishers' calls, for as long as a call may be repeated or replayed. */
export interface IdempotencyStore {
  /** The answer kept under this id; undefined where there is none (any more). */
  loadResponse(id: string): Promise<string | undefined>;
  /** Keeps an answer for ten minutes, which is longer than a signature is valid; the first one stays. */
  storeResponse(id: string, answer: string): Promise<void>;
}

/** What each relay of the cluster holds: the picture by which they share. */
export interface RelayRegistry {
  /**
   * Notes a relay's load for ten seconds, and answers the loads of all relays that were noted within that time, this
   * one included. Without a load it is forgotten at once.
   */
  exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]>;
}

/** What one relay holds. */
export interface RelayLoad {
  readonly connections: number;
}

/** The half of a broker that a relay needs. */
export interface BrokerFeed extends Partitioned {
  /** Names who is told of signals and of the link. Called once, before `start`. */
  setFeedHandler(handler: FeedHandler): void;
  /**
   * Resolves once signals of all these topics flow: every update that is published after that is
   * signalled, unless the signal is lost. Watching twice is harmless.
   */
  watch(topics: readonly Topic[]): Promise<void>;
  unwatch(topics: readonly Topic[]): Promise<void>;
  /** The stored registers, aligned with the topics; undefined where there is none (any more). */
  read(topics: readonly Topic[]): Promise<(Update | undefined)[]>;
  /** Gives up the subscription that carries this partition, which proved deaf; `watchesLost` follows. */
  resetSubscription(partition: number): void;
}

/** What a broker tells a relay. Signals may be lost, repeated or out of order. */
export interface FeedHandler {
  deliver(update: Update): void;
  /** `raise` names what raised it, as in a digest. */
  raiseFloor(partition: number, floor: Version, raise?: string): void;
  /** These partitions' watches are void; they must be watched again. */
  watchesLost(partitions: readonly number[]): void;
  /** The broker can be reached again: repair now rather than at the next interval. */
  linkUp(): void;
}

/**
 * What a process knows of a partition from earlier answers. It goes along with every call, so that a
 * broker whose history changed can tell whether it forgot something that this process was promised.
 */
export interface Witness {
  /** The history last seen; empty at first. */
  readonly epoch: string;
  /** The highest version seen in this partition; 0 at first. */
  readonly version: Version;
  /**
   * Whether this process has passed on a promise that was made under that history. Where the broker has another one
   * by now, the promise may have been made by a master that was already replaced, after everybody was told of the
   * floor. So the floor is raised anew, also above a version that says nothing: clocks may disagree.
   */
  readonly acknowledged?: boolean;
  /**
   * The newest raise of the floor that this process knows to be above all that it had seen before. Where the broker
   * has another one whose floor is not above what this process has seen, numbers were given twice, and the floor is
   * raised anew. Not needed by who does not keep registers.
   */
  readonly raiseId?: string;
}

/** Which version an update got, and under which history: a promise that goes along with later calls. */
export interface Published {
  readonly version: Version;
  readonly epoch: string;
}

/** The state of a partition, and what changed in it. */
export interface Digest {
  /** Names the line of states that this partition's data belong to; another name means that writes may be lost. */
  readonly epoch: string;
  /** Nobody may believe anything older. */
  readonly floor: Version;
  /** Names the raise that made the floor: no two have the same name, also where they have the same number. */
  readonly raiseId: string;
  /** Every later version will be above this. */
  readonly last: Version;
  /** The number of a topic that has no register: below every later version. */
  readonly base: Version;
  /** A register older than this counts as not there. */
  readonly retainedSince: Version;
  /** What `changed` is complete after: changes up to here may be missing from it. */
  readonly completeAfter: Version;
  readonly changed: readonly Changed[];
  /** Whether there is more after the last of `changed`: ask again from there. */
  readonly hasMore: boolean;
}

/** A topic that changed, with its newest version. */
export interface Changed {
  readonly topic: Topic;
  readonly version: Version;
}
