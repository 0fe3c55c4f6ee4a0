import {
  type BrokerFeed,
  type BrokerPublisher,
  type Digest,
  NotReplicatedError,
  type Published,
  type Witness,
} from '../shared/broker/broker.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import type { Topic } from '../shared/update/topic.ts';
import type { UpdateBody, Version } from '../shared/update/update.ts';

/** A published update: its topic and version. */
export interface PublishedTopic {
  readonly topic: Topic;
  readonly version: Version;
  /** A version of the topic with no update between it and this one; absent in answers of earlier releases. */
  readonly previous?: Version;
}

/** Observes what the broker has lost. */
export interface LossReport {
  /** The replies to calls that overlapped show that the broker has lost an acknowledged update. The next call raises the floor. */
  updateLost(): void;
}

/** The interval between checks that the broker still has what this process acknowledged, in milliseconds. */
const CHECK_INTERVAL_MS = 3000;

/**
 * Publishes to the cluster, and keeps the witness of every partition. The witness accompanies every call, and a digest
 * at every interval: a broker that lost an update that this process acknowledged (the master that stored it was already
 * replaced, or older data were loaded) detects it, and raises the floor.
 */
export class ClusterPublisher {
  readonly #broker: BrokerPublisher & Pick<BrokerFeed, 'read'>;
  readonly #clock: Clock;
  readonly #report: LossReport;
  readonly #id: string;
  readonly #witnesses = new Map<number, PartitionWitness>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { broker: BrokerPublisher & Pick<BrokerFeed, 'read'>; clock: Clock; report: LossReport }) {
    this.#broker = deps.broker;
    this.#report = deps.report;
    this.#clock = deps.clock;
    this.#id = Math.floor(deps.clock.random() * 2 ** 48).toString(36);
  }

  /** Starts the periodic check. */
  start(): void {
    this.#timer = this.#clock.after(CHECK_INTERVAL_MS * (0.9 + 0.2 * this.#clock.random()), () => {
      void this.#check().finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /**
   * Publishes one update for every topic, all with the same body. Returns their versions in the order of the topics.
   * If the call fails, some of the topics may have been published; repeating it is harmless.
   * @throws {AppError} `broker_unavailable`, or `not_replicated` if too few replicas confirmed
   */
  async publish(topics: readonly Topic[], body: UpdateBody): Promise<readonly PublishedTopic[]> {
    const byPartition = new Map<number, Topic[]>();
    for (const topic of topics) {
      const partition = this.#broker.partitionOf(topic);
      const list = byPartition.get(partition);
      if (list) list.push(topic);
      else byPartition.set(partition, [topic]);
    }
    const published = await Promise.all(
      [...byPartition].map(([partition, list]) => this.#publish(partition, list, body)),
    );
    const byTopic = new Map(published.flat().map((update) => [update.topic, update]));
    return topics.map((topic) => byTopic.get(topic) as PublishedTopic);
  }

  /**
   * Returns the current version of each topic, in their order: relays notify of no higher one that was published before.
   * @throws {AppError} `broker_unavailable`
   */
  async versions(topics: readonly Topic[]): Promise<readonly PublishedTopic[]> {
    const [registers, digests] = await Promise.all([this.#broker.read(topics), this.#digests(topics)]);
    return digests.map(({ floor, base, retainedSince }, i) => {
      const stored = registers[i]?.version ?? 0;
      return { topic: topics[i] as Topic, version: Math.max(floor, stored < retainedSince ? base : stored) };
    });
  }

  /**
   * Returns the floor of each topic's partition, in their order. It was raised just now if the broker has lost what this process
   * published there, or the given versions.
   * @param seen versions of the topics that relays have, in their order
   * @throws {AppError} `broker_unavailable`
   */
  async floors(topics: readonly Topic[], seen: readonly Version[]): Promise<readonly Version[]> {
    for (const [i, topic] of topics.entries()) this.#witnessOf(this.#broker.partitionOf(topic)).saw(seen[i] ?? 0);
    return (await this.#digests(topics)).map(({ floor }) => floor);
  }

  /** Presents the witnesses of the topics' partitions. Returns the digest of each topic's partition, in their order. */
  async #digests(topics: readonly Topic[]): Promise<readonly Digest[]> {
    const byPartition = new Map<number, Promise<Digest>>();
    return Promise.all(
      topics.map((topic) => {
        const partition = this.#broker.partitionOf(topic);
        const digest = byPartition.get(partition) ?? this.#digest(partition);
        byPartition.set(partition, digest);
        return digest;
      }),
    );
  }

  /** Publishes to topics of one partition. */
  async #publish(partition: number, topics: readonly Topic[], body: UpdateBody): Promise<readonly PublishedTopic[]> {
    const witness = this.#witnessOf(partition);
    const sent = witness.take();
    const call = witness.chain.start();
    try {
      const published = await this.#broker.publishAll(topics, body, sent.witness);
      const newest = published.at(-1) as Published;
      witness.learn(sent, newest);
      witness.acknowledge(newest);
      if (witness.chain.provesLoss(call, newest, true)) this.#lost(witness);
      return published.map(({ version, previous }, i) => ({ topic: topics[i] as Topic, version, previous }));
    } catch (error) {
      // The broker has checked the witness: without this, every refused call would make it raise the floor again.
      if (error instanceof NotReplicatedError) {
        witness.learn(sent, error.published);
        // The raise that it made for acknowledgements is below this version: both are gone if older data are loaded.
        if (sent.witness.acknowledged) witness.relyOn(error.published.version);
        if (witness.chain.provesLoss(call, error.published, false)) this.#lost(witness);
      }
      throw error;
    } finally {
      witness.chain.end(call);
    }
  }

  #lost(witness: PartitionWitness): void {
    if (!witness.isRaiseRequested) this.#report.updateLost();
    witness.requestRaise();
  }

  /** Presents every witness to its partition; requests no changes. */
  async #check(): Promise<void> {
    await Promise.allSettled([...this.#witnesses.keys()].map((partition) => this.#digest(partition)));
  }

  /** Presents the witness of a partition; requests no changes. */
  async #digest(partition: number): Promise<Digest> {
    const witness = this.#witnessOf(partition);
    const sent = witness.take();
    const digest = await this.#broker.digest(partition, sent.witness, Number.MAX_SAFE_INTEGER);
    witness.learn(sent, { epoch: digest.epoch, version: digest.last });
    witness.relyOn(digest.floor);
    witness.forgetPromisesBefore(digest.retainedSince);
    return digest;
  }

  #witnessOf(partition: number): PartitionWitness {
    const witness = this.#witnesses.get(partition) ?? new PartitionWitness(this.#id);
    this.#witnesses.set(partition, witness);
    return witness;
  }
}

/** A witness as it was sent with one call. */
interface SentWitness {
  readonly witness: Witness;
  /** The newest acknowledgement under each epoch that the witness covers, by its sequence number. */
  readonly acknowledged: ReadonlyMap<string, number>;
}

/** An epoch that no broker has. */
const LOST = 'lost';

/**
 * What this process has seen and acknowledged in one partition. An acknowledgement stays pending until the broker has
 * been shown it under another epoch. Several calls may be in progress, and their replies may arrive in any order.
 */
class PartitionWitness {
  readonly chain = new AssignmentChain();
  readonly #publisher: string;
  #epoch = '';
  #version: Version = 0;
  #promised: Version = 0;
  #acknowledgements = 0;
  /** The sequence number of the newest pending acknowledgement under each epoch. */
  readonly #pending = new Map<string, number>();

  constructor(publisher: string) {
    this.#publisher = publisher;
  }

  /** Returns the witness to send with the next call. */
  take(): SentWitness {
    const acknowledged = new Map(this.#pending);
    const seen = { version: this.#version, promised: { publisher: this.#publisher, version: this.#promised } };
    if (acknowledged.size === 0) return { witness: { epoch: this.#epoch, ...seen }, acknowledged };
    // With several epochs the joined string equals none, so the broker checks whichever it has.
    const epoch = [...acknowledged.keys()].join(' ');
    return { witness: { epoch, ...seen, acknowledged: [...acknowledged.values()] }, acknowledged };
  }

  /** Applies the reply to a call. Acknowledgements under other epochs that the call carried are no longer pending. */
  learn({ acknowledged }: SentWitness, reply: Pick<Published, 'epoch' | 'version'>): void {
    for (const [epoch, sequence] of acknowledged) {
      if (epoch !== reply.epoch && this.#pending.get(epoch) === sequence) this.#pending.delete(epoch);
    }
    this.#epoch = reply.epoch;
    this.saw(reply.version);
  }

  /** Records a version that was assigned, to this process or to another one. */
  saw(version: Version): void {
    this.#version = Math.max(this.#version, version);
  }

  /** Records that an update is acknowledged to its publisher. */
  acknowledge({ epoch, version }: Published): void {
    this.#acknowledgements += 1;
    this.#pending.set(epoch, this.#acknowledgements);
    this.#promised = Math.max(this.#promised, version);
  }

  /** Whether a raise was requested that no call has brought about yet. */
  get isRaiseRequested(): boolean {
    return this.#pending.has(LOST);
  }

  /** Makes the next call raise the floor: its witness has an acknowledgement that no broker knows. */
  requestRaise(): void {
    this.#acknowledgements += 1;
    this.#pending.set(LOST, this.#acknowledgements);
  }

  /** Makes a floor, or a version above it, part of the promise: it may cover an update that was acknowledged under another epoch, or by others. */
  relyOn(version: Version): void {
    this.#promised = Math.max(this.#promised, version);
  }

  /** Forgets acknowledged versions that have left the retention: the broker forgets them too. */
  forgetPromisesBefore(retainedSince: Version): void {
    if (this.#promised < retainedSince) this.#promised = 0;
  }
}

/** A reply to a publishing call. */
interface ChainedReply extends Pick<Published, 'version' | 'epoch' | 'assignedBefore'> {
  readonly isAcknowledged: boolean;
  /** The number of calls that had been started when it arrived. */
  readonly startedBefore: number;
}

/**
 * The versions assigned to this process by calls that overlap. Each reply names the version assigned before its own, so
 * that an acknowledged version between the two is lost: the broker loaded older data under the same epoch. Calls that
 * start after the acknowledgement need no such check, because their witness contains it. A reply that never arrives
 * proves nothing.
 */
class AssignmentChain {
  #started = 0;
  /** The calls in progress, oldest first. */
  readonly #inProgress = new Set<number>();
  /** The replies that arrived since the oldest call in progress started, oldest first. */
  readonly #replies: ChainedReply[] = [];

  /** Starts a call. Returns its number. */
  start(): number {
    this.#started += 1;
    this.#inProgress.add(this.#started);
    return this.#started;
  }

  /** Adds the reply to a call in progress. Returns whether it proves, together with an earlier one, that one of the two is lost. */
  provesLoss(call: number, published: Published, isAcknowledged: boolean): boolean {
    const { version, epoch, assignedBefore } = published;
    const reply = { version, epoch, assignedBefore, isAcknowledged, startedBefore: this.#started };
    const isLost = this.#replies.some(
      (other) => call <= other.startedBefore && (skips(reply, other) || skips(other, reply)),
    );
    this.#replies.push(reply);
    return isLost;
  }

  /** Ends a call, whether it succeeded or failed, and forgets the replies that overlap no call in progress. */
  end(call: number): void {
    this.#inProgress.delete(call);
    const [oldest = Number.POSITIVE_INFINITY] = this.#inProgress;
    while ((this.#replies[0]?.startedBefore ?? oldest) < oldest) this.#replies.shift();
  }
}

/** Returns whether the broker did not know an acknowledged version when it assigned a version that is not below it. */
function skips(reply: ChainedReply, acknowledged: ChainedReply): boolean {
  return (
    acknowledged.isAcknowledged &&
    acknowledged.epoch === reply.epoch &&
    reply.assignedBefore < acknowledged.version &&
    acknowledged.version <= reply.version
  );
}
