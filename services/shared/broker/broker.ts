import { AppError } from '../errors.ts';
import type { Topic } from '../update/topic.ts';
import type { Update, UpdateBody, Version } from '../update/update.ts';
import type { Receipts } from './receipts.ts';

/**
 * Carries updates between the processes of a cluster: stores one register per topic, assigns versions, and signals
 * changes to relays. Topics are spread over partitions; versions are unique and increase within a partition, so a
 * version is also a cursor into its partition.
 *
 * Times and versions are in microseconds, by the broker's clock. Every method that returns a promise rejects with
 * `broker_unavailable` if the broker does not reply within its deadline, and with `settings_differ` while the cluster turns
 * out to run with other settings. No call is retried by the broker; one that
 * failed may or may not have taken effect, and may still take effect later, when a frozen server resumes.
 */
export interface Broker extends BrokerPublisher, BrokerFeed, IdempotencyStore, RelayRegistry {
  readonly receipts: Receipts;
  /**
   * Connects. Resolves once the broker is usable, or after the first attempt failed: then it keeps trying in the
   * background, and calls reject with `broker_unavailable` until it succeeds.
   * @throws {AppError} `settings_differ` if the cluster runs with other settings than this process.
   */
  start(): Promise<void>;
  /** Closes every connection; pending calls reject. Idempotent. */
  stop(): Promise<void>;
}

interface Partitioned {
  /** The number of partitions. They are numbered from 0. */
  readonly partitions: number;
  /** Returns the partition of a topic, the same in every process of the cluster. */
  partitionOf(topic: Topic): number;
  /**
   * Returns the state of a partition and the topics that changed after `cursor`. Checks the epoch first: if it
   * changed, or the broker has lost something that `witness` proves, the floor is raised before the digest is taken.
   * @param cursor exclusive; 0 for every recent change, `Number.MAX_SAFE_INTEGER` for none
   */
  digest(partition: number, witness: Witness, cursor: Version): Promise<Digest>;
}

/** The part of a broker that publishes. Used by the webhook. */
export interface BrokerPublisher extends Partitioned {
  /**
   * Assigns the next version, stores the register, indexes the topic and signals the update, atomically. Checks the
   * epoch first, as `digest` does. The version is above every version that the partition or the witness has seen, and
   * at least the current time.
   * @throws {NotReplicatedError} if the required replicas did not confirm in time; the update is published
   */
  publish(topic: Topic, body: UpdateBody, witness: Witness): Promise<Published>;
  /**
   * Publishes an update of each topic, as `publish` does, all of them atomically. Returns the versions in the order of
   * the topics, in which they increase.
   * @param topics of one partition
   * @throws {NotReplicatedError} as `publish` does, with the newest version
   */
  publishAll(topics: readonly Topic[], body: UpdateBody, witness: Witness): Promise<readonly Published[]>;
}

/** Responses that were given to publishers, kept so that a repeated call gets the same one. */
export interface IdempotencyStore {
  /**
   * Returns the response or the reservation stored under an idempotency key. If there is neither, stores `reservation`
   * until a call has timed out, and returns undefined. Atomic: of several callers, only one reserves the key.
   */
  loadOrReserve(key: string, reservation: string): Promise<string | undefined>;
  /** Deletes a reservation, if it is still stored. */
  releaseReservation(key: string, reservation: string): Promise<void>;
  /** Stores a response instead of the reservation, for ten minutes: longer than a signature is valid. */
  storeResponse(key: string, response: string): Promise<void>;
}

/** The relays of the cluster and their load. */
export interface RelayRegistry {
  /**
   * Stores the load of a relay for its `ttlMs`, and returns the load of every registered relay, this one included, in no
   * particular order. In a large cluster, entries may stand for several relays and be a second old, so that the cost of an
   * exchange does not grow with their number.
   * @param load undefined removes the relay at once
   */
  exchangeLoad(relayId: string, load: RelayLoad | undefined): Promise<readonly RelayLoad[]>;
}

/** The load of one relay, or of several ones of about the same load. */
export interface RelayLoad {
  /** Number of relays; 1 if absent. */
  readonly relays?: number;
  /** Client connections that are open, for each relay. */
  readonly connections: number;
  /** True while the relay shuts down: it still has clients, but takes no new ones. */
  readonly draining?: boolean;
  /** True if it, or one of them, joined within the last minutes. */
  readonly isNew?: boolean;
  /** Connections that all of them have closed since their start to rebalance the cluster; absent if there are none. */
  readonly shed?: number;
  /** How long the relay stays registered without another exchange, in milliseconds; ten seconds by default. Not returned. */
  readonly ttlMs?: number;
}

/** The part of a broker that feeds a relay. */
export interface BrokerFeed extends Partitioned {
  /** Sets the handler of signals and link events. Must be called exactly once, before `start`. */
  setFeedHandler(handler: FeedHandler): void;
  /**
   * Subscribes to the signals of topics. Resolves once the subscription is active: every later update is signalled,
   * unless its signal is lost. Idempotent. A watch ends by `unwatch` or when `watchesLost` names its partition.
   */
  watch(topics: readonly Topic[]): Promise<void>;
  /** Ends the subscription to topics. Idempotent. */
  unwatch(topics: readonly Topic[]): Promise<void>;
  /**
   * Returns the state of a partition, after the check of the epoch that `digest` does, and whether its signals have arrived.
   * Costs the same whatever is published: lists nothing.
   * @param waitMs how long signals may take to arrive after the reply, in milliseconds
   */
  probe(partition: number, witness: Witness, waitMs: number): Promise<Probe>;
  /**
   * Returns the newest versions of topics, aligned with them; undefined for a topic that did not change within the last
   * minutes, which are those after `completeAfter`.
   */
  recentVersions(topics: readonly Topic[]): Promise<(Version | undefined)[]>;
  /** Returns the stored registers, aligned with `topics`; undefined if a topic has none or it has expired. */
  read(topics: readonly Topic[]): Promise<(Update | undefined)[]>;
  /**
   * Replaces the subscriber connection of a partition, because it lost signals. Calls `watchesLost` for every
   * partition on that connection, and `linkUp` once the new one is connected.
   */
  resetSubscription(partition: number): void;
}

/**
 * Receives the events of a broker. Signals are best effort: they may be lost, duplicated or out of order, and may
 * arrive for topics that are no longer watched. Handlers must not throw.
 */
export interface FeedHandler {
  /** A watched topic was updated. */
  deliver(update: Update): void;
  /**
   * The floor of a partition was raised.
   * @param raiseId identifies the raise, see `Digest.raiseId`; undefined if the sender does not know it
   */
  raiseFloor(partition: number, floor: Version, raiseId?: string): void;
  /** All watches of these partitions have ended; watch their topics again. */
  watchesLost(partitions: readonly number[]): void;
  /** A connection to the broker was established: repair now rather than at the next interval. */
  linkUp(): void;
}

/** An update was published, but too few replicas confirmed it in time. */
export class NotReplicatedError extends AppError {
  /** What the broker replied: the caller has presented its witness to this epoch. */
  readonly published: Published;

  constructor(published: Published, options?: ErrorOptions) {
    super('not_replicated', undefined, options);
    this.published = published;
  }
}

/**
 * Evidence of earlier replies about one partition. It accompanies every call, so that a broker whose epoch changed
 * can detect that it lost something that this process has seen.
 */
export interface Witness {
  /** The epoch last seen; empty if none. Several epochs separated by spaces never equal the broker's. */
  readonly epoch: string;
  /** The highest version seen in this partition; 0 if none. */
  readonly version: Version;
  /**
   * Present if this process has acknowledged updates under `epoch`: the sequence number of the newest acknowledgement, for each
   * epoch in their order. If the broker has another epoch, the update may have been accepted by a master that was already
   * replaced, after the relays learned of the new floor. Therefore the floor is raised again even if it is above `version`,
   * because the clocks of two masters may disagree; once, whatever the number of calls with this acknowledgement.
   */
  readonly acknowledged?: readonly number[];
  /**
   * The latest raise known to be above every version this process had seen before it. If the broker has another one,
   * with a floor not above `version`, versions were assigned twice, and the floor is raised again. Only needed by
   * processes that keep registers.
   */
  readonly raiseId?: string;
  /**
   * The id of this process, and the highest version in this partition that it has acknowledged to a client within the
   * retention; 0 if none. The broker keeps the newest version that it assigned to each publisher: a lower one than was
   * acknowledged means that older data were loaded. Only sent by processes that publish.
   */
  readonly promised?: { readonly publisher: string; readonly version: Version };
}

/** The version assigned to an update, and the epoch under which it was assigned. */
export interface Published {
  readonly version: Version;
  readonly epoch: string;
  /** A version of the topic with no update between it and this one: that of the update before, or a later one. */
  readonly previous: Version;
  /**
   * The newest version that the partition had assigned to this publisher (`Witness.promised`) before the call; 0 if none.
   * The same for every update of a call.
   */
  readonly assignedBefore: Version;
}

/**
 * The state of a partition. `floor` and `base` are at most `last`. The current version of a topic is the highest of
 * `floor`, and the version of its register or, if it has none, `base`.
 */
export interface PartitionState {
  /** Identifies the data history of the server; another value means that writes may have been lost. Opaque. */
  readonly epoch: string;
  /** Low watermark: every version below it is stale. */
  readonly floor: Version;
  /** Identifies the raise that set the floor. Unique, even if two raises set the same floor. Opaque. */
  readonly raiseId: string;
  /** Whether the floor is the first one of this partition: no process that called the broker since knows earlier data. */
  readonly isFirstFloor: boolean;
  /** Every version assigned later is above this one. */
  readonly last: Version;
  /** The version of a topic without a register. */
  readonly base: Version;
  /** A register with an older version counts as missing. */
  readonly retainedSince: Version;
  /** The broker lists every change after this version; earlier ones may be missing from its lists. */
  readonly completeAfter: Version;
}

/** The state of a partition, and the topics that changed in it. */
export interface Digest extends PartitionState {
  /** Topics with a version above the cursor, in ascending order, each with its newest version only. */
  readonly changed: readonly Changed[];
  /** True if `changed` was cut off: request the next digest with the version of its last entry as the cursor. */
  readonly hasMore: boolean;
}

/** The state of a partition, and what is known of its signals. */
export interface Probe extends PartitionState {
  readonly signals: SignalProof;
}

/**
 * What a probe has proven of the signals of a partition:
 * - `complete`: every update up to `last` was passed to `deliver`, of every topic whose watch was acknowledged before the
 *   probe and has not ended since;
 * - `unproven`: nothing, such as without a subscriber connection, or because signals are late;
 * - `lost`: the subscriber connection carries signals no more, or not of all topics, so `resetSubscription` is needed.
 */
export type SignalProof = 'complete' | 'unproven' | 'lost';

/** A topic that changed, with its newest version. */
export interface Changed {
  readonly topic: Topic;
  readonly version: Version;
}
