import type { BrokerFeed, FeedHandler } from '../../shared/broker/broker.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import { Flushes, type FlushPosition } from './flushes.ts';
import { PendingSubscribers, type Subscriber } from './pending-subscribers.ts';
import { RecentPast } from './recent-past.ts';
import { type Register, Registers } from './registers.ts';
import { Repair, type RepairReport } from './repair.ts';
import { SubscriberCounts } from './subscriber-counts.ts';
import { TopicInterest } from './topic-interest.ts';
import { listTopics, type TopicList } from './topic-list.ts';

/** Delivers to all clients of this relay, whatever their transport. */
export interface Fanout {
  /**
   * Sends an update to the topic's subscribers, and returns their number. A paced update leaves out the clients that
   * cannot spread their refetch: `pace` follows for them.
   */
  deliver(update: Update, paced: boolean): number;
  /** Notifies every client that this relay has become fresh or stale. */
  sendFreshness(fresh: boolean): void;
  /** Sends the updates flushed at `since` or later to each client that a paced delivery left out, at a random time within the window. */
  pace(since: FlushPosition, windowMs: number): void;
  /** Returns over how many milliseconds a topic's subscribers should spread their refetch; 0 for not at all. */
  spreadMs(topic: Topic, subscribers: number): number;
}

/** A delivery of an update to the subscribers of its topic. Times are by the monotonic clock, in milliseconds. */
export interface Delivery {
  readonly update: Update;
  readonly flush: FlushPosition;
  /** Number of clients that it went to. */
  readonly clients: number;
  /** Whether it left out the clients that cannot spread their refetch. */
  readonly paced: boolean;
  readonly beganAtMs: number;
  /** When the broker assigned the version; undefined for a floor raise, and while the broker's clock is not known. */
  readonly publishedAtMs: number | undefined;
}

/** Events of the hub, for telemetry. */
export interface HubReport extends RepairReport {
  delivered(delivery: Delivery): void;
  /**
   * An update has arrived that is newer than the register.
   * @param digestRequestedAtMs if a digest brought it: when that was requested, by the monotonic clock
   */
  received(update: Update, digestRequestedAtMs?: number): void;
  /** The `data` of an update was dropped, because the registers hold too much of it. */
  dataDropped(): void;
  /** An update was replaced by a newer one before its delivery. */
  conflated(): void;
}

/** Delivers to no client: the fan-out before one is attached. */
const NO_FANOUT: Fanout = { deliver: () => 0, sendFreshness() {}, pace() {}, spreadMs: () => 0 };

/**
 * The core of a relay: the registers of the topics that its clients subscribe to. Updates that arrive in one turn of the
 * event loop are merged first; at its end each changed topic is delivered once.
 *
 * Order of use: `new Hub`, `deliverTo`, start the feed, `start`; then `subscribe` and the rest in any order; `stop`.
 * No method throws. Versions that a topic's subscribers are notified of never decrease.
 */
export class Hub implements FeedHandler {
  readonly #feed: BrokerFeed;
  readonly #report: HubReport;
  readonly #clock: Clock;
  readonly #floorSpreadMs: number;
  readonly #subscribers = new SubscriberCounts();
  readonly #interest: TopicInterest;
  readonly #repair: Repair;
  readonly #registers: Registers;
  readonly #pending = new PendingSubscribers();
  readonly #flushes: Flushes<Register>;
  readonly #recentPast: RecentPast;
  #fanout = NO_FANOUT;
  #freshnessFlush: FlushPosition = 0;

  /**
   * @param deps.feed must not be started yet
   * @param deps.repairIntervalMs how often each partition is probed
   * @param deps.auditIntervalMs within which time all registers are compared with the broker's versions; a minute by default
   * @param deps.maxDataBytes memory for `data`; no limit by default
   * @param deps.probing called when all partitions are probed: other calls cost the broker less if they go with the probes
   * @param deps.floorSpreadMs over how long clients spread their refetch after a floor raise
   */
  constructor(deps: {
    feed: BrokerFeed;
    clock: Clock;
    report: HubReport;
    repairIntervalMs: number;
    auditIntervalMs?: number;
    probing?: () => void;
    floorSpreadMs: number;
    maxDataBytes?: number;
  }) {
    const { feed, clock, report } = deps;
    this.#feed = feed;
    this.#report = report;
    this.#clock = clock;
    this.#floorSpreadMs = deps.floorSpreadMs;
    this.#recentPast = new RecentPast(deps);
    this.#flushes = new Flushes({ clock, flush: (register) => this.#deliver(register) });
    this.#registers = new Registers({
      partitionOf: (topic) => feed.partitionOf(topic),
      currentVersion: (partition, stored) => this.#repair.partitions[partition]?.currentVersion(stored) ?? stored,
      floorOf: (partition) => this.#repair.partitions[partition]?.floor ?? 0,
      maxDataBytes: deps.maxDataBytes ?? Number.POSITIVE_INFINITY,
      dataDropped: () => report.dataDropped(),
    });
    this.#interest = new TopicInterest({
      feed,
      clock,
      handler: {
        loaded: (topic, stored) => this.#loaded(topic, stored),
        forget: (topic) => this.#registers.forget(topic),
        isLoaded: (topic) => this.#registers.loaded(topic) !== undefined,
        attempted: () => {
          if (!this.fresh) this.#repair.updateFreshness();
        },
      },
    });
    this.#repair = new Repair({
      feed,
      clock,
      report,
      intervalMs: deps.repairIntervalMs,
      ...(deps.auditIntervalMs !== undefined && { auditIntervalMs: deps.auditIntervalMs }),
      handler: {
        watchedIn: (partition) => this.#registers.loadedIn(partition),
        versionOf: (topic) => this.#registers.loaded(topic)?.stored,
        emptyUpTo: (topic) => this.#registers.get(topic)?.emptyUpTo ?? 0,
        unprovenSinceMs: () => this.#interest.unprovenSinceMs,
        hasRelapsed: (partition) => this.#interest.hasRelapsed(partition),
        emptySince: (partition, sinceMs) => this.#registers.emptySince(partition, sinceMs),
        changed: (partition, topics) => this.#interest.changed(partition, topics),
        probing: () => deps.probing?.(),
        repaired: (updates, requestedAtMs) => {
          for (const update of updates) this.#merge(update, requestedAtMs);
        },
        expired: (topics) => {
          for (const topic of topics) this.#registers.expire(topic);
          this.#raise(topics);
        },
        floorRaised: (partition) => this.#raise([...this.#registers.loadedIn(partition)].map(([topic]) => topic)),
        freshnessChanged: (fresh) => this.#freshnessChanged(fresh),
      },
    });
    feed.setFeedHandler(this);
  }

  /** Sets the fan-out, which may need objects that need the hub. Call it once, before `start`. */
  deliverTo(fanout: Fanout): void {
    this.#fanout = fanout;
  }

  /** Begins to repair. The feed is started by its owner. */
  start(): void {
    this.#repair.start();
  }

  /** Stops all timers; updates may still arrive. */
  stop(): void {
    this.#repair.stop();
    this.#interest.stop();
  }

  /** Whether this relay's registers are proven current. */
  get fresh(): boolean {
    return this.#repair.fresh;
  }

  /** The time until which this relay is proven to have missed nothing, in milliseconds of the monotonic clock; -Infinity at first. */
  get provenUntilMs(): number {
    return this.#repair.provenUntilMs;
  }

  /** Within this time a relay detects what a client has missed that comes from another one and names no version. */
  get recentMs(): number {
    return this.#recentPast.windowMs;
  }

  /** Age of the oldest of the partitions' last digests, in milliseconds; Infinity before all have one. */
  get digestAgeMs(): number {
    return this.#repair.digestAgeMs;
  }

  /** Number of topics with a subscriber. */
  get topics(): number {
    return this.#subscribers.size;
  }

  /** Memory that the `data` of all registers takes, in bytes. */
  get dataBytes(): number {
    return this.#registers.dataBytes;
  }

  /** Returns the number of a topic's subscribers on this relay. */
  subscribers(topic: Topic): number {
    return this.#subscribers.count(topic);
  }

  /** Lists at most `limit` topics that contain `search`: those with the most subscribers. */
  listTopics(search: string, limit: number): TopicList {
    const versionOf = (topic: Topic) => this.#registers.get(topic)?.stored ?? 0;
    return listTopics(this.#subscribers.entries(), versionOf, { search, limit });
  }

  /** Whether the topic is watched, or may be without exceeding `maxTopics`. A topic stays watched for a while after its last subscriber. */
  hasRoom(topic: Topic, maxTopics: number): boolean {
    return this.#interest.size < maxTopics || this.#interest.has(topic);
  }

  /** Adds a subscriber: from now on the topic is watched, and its register loaded and kept current. */
  subscribe(topic: Topic): void {
    if (this.#subscribers.add(topic)) this.#interest.acquire(topic);
  }

  /** Removes a subscriber; must follow a `subscribe`. */
  unsubscribe(topic: Topic, subscriber: Subscriber): void {
    this.#pending.remove(topic, subscriber);
    if (this.#subscribers.remove(topic)) this.#interest.release(topic);
  }

  /**
   * Notifies the subscriber once the topic is fresh, and each time that the relay becomes stale before that. No effect
   * if the topic is fresh now.
   */
  awaitFreshness(topic: Topic, subscriber: Subscriber): void {
    if (!this.isFresh(topic)) this.#pending.add(topic, subscriber);
  }

  /** Whether the topic's register is loaded and proven current. */
  isFresh(topic: Topic): boolean {
    return this.fresh && this.#registers.loaded(topic) !== undefined;
  }

  /**
   * Returns the topic's newest update under its current version, also if it was never published. Proven current only
   * while `isFresh(topic)`.
   */
  current(topic: Topic): Update {
    return this.#withSpread(this.#registers.current(topic));
  }

  /**
   * Whether a client that subscribed to the topic, and cannot name its version, may have missed an update or a floor raise
   * on its way here: one within `recentMs` before, or whose spread ended within that, since relays pace such clients.
   * @param subscribedAtMs by the monotonic clock
   */
  mayHaveMissed(topic: Topic, subscribedAtMs: number): boolean {
    const partition = this.#repair.partitions[this.#feed.partitionOf(topic)];
    if (!partition) return false;
    const longestSpreadMs = this.#fanout.spreadMs(topic, Number.POSITIVE_INFINITY);
    const isRecent = (version: Version, spreadMs: number) =>
      version > partition.brokerTimeAt(this.#recentPast.sinceMs(subscribedAtMs) - spreadMs);
    const { version, spread } = this.#registers.get(topic)?.update ?? { version: 0 };
    return (
      isRecent(version, spread ?? longestSpreadMs) ||
      isRecent(partition.raised, Math.max(this.#floorSpreadMs, longestSpreadMs))
    );
  }

  /** The first position that a client which falls behind now may miss. */
  get flushPosition(): FlushPosition {
    return this.#flushes.position;
  }

  /** Position of the last change of freshness. */
  get freshnessFlush(): FlushPosition {
    return this.#freshnessFlush;
  }

  /** Returns the position of the topic's last delivery; 0 if it has had none. */
  flushOf(topic: Topic): FlushPosition {
    return this.#registers.get(topic)?.flushed ?? 0;
  }

  /** Whether the topic's subscribers, all of them, get an update at the end of this turn. */
  isDeliveryPending(topic: Topic): boolean {
    const register = this.#registers.get(topic);
    return register?.dirty === true && !register.paced;
  }

  /**
   * Returns the version that was last delivered to the topic's subscribers, 0 while a delivery or the register is pending, and
   * the number of clients that it went to; undefined if this relay would read the topic's register for a new subscriber.
   */
  lastDelivered(topic: Topic): { version: Version; delivered: number } | undefined {
    if (!this.#interest.has(topic)) return undefined;
    const register = this.#registers.loaded(topic);
    return register && !register.dirty
      ? { version: register.update.version, delivered: register.delivered }
      : { version: 0, delivered: 0 };
  }

  /** Returns the floor of the topic's partition that this relay has acknowledged (see `Partition`); 0 before the first digest. */
  acknowledgedFloor(topic: Topic): Version {
    return this.#repair.partitions[this.#feed.partitionOf(topic)]?.acknowledgedFloor ?? 0;
  }

  deliver(update: Update): void {
    this.#repair.signalled(this.#feed.partitionOf(update.topic), update.topic, update.version);
    this.#merge(update);
  }

  raiseFloor(partition: number, floor: Version, raise?: string): void {
    this.#repair.raiseFloor(partition, floor, raise);
  }

  watchesLost(partitions: readonly number[]): void {
    this.#repair.lost(partitions);
    this.#interest.lost(partitions);
  }

  linkUp(): void {
    this.#interest.retryNow();
    this.#repair.repairNow('link');
  }

  #deliver(register: Register): void {
    const { paced: isFloorRaise, flushed } = register;
    const update = this.#withSpread(register.update);
    const { spread = 0 } = update;
    const paced = isFloorRaise || spread > 0;
    const beganAtMs = this.#clock.monotonicMs();
    register.delivered = this.#fanout.deliver(update, paced);
    this.#report.delivered({
      update,
      flush: flushed,
      clients: register.delivered,
      paced,
      beganAtMs,
      publishedAtMs: isFloorRaise
        ? undefined
        : this.#repair.partitions[register.partition]?.monotonicAt(update.version),
    });
    if (!isFloorRaise && spread > 0) this.#fanout.pace(flushed, spread);
  }

  /** Adds the spread that the topic needs, if the publisher has set none. */
  #withSpread(update: Update): Update {
    if (update.spread !== undefined) return update;
    const spread = this.#fanout.spreadMs(update.topic, this.#subscribers.count(update.topic));
    return spread > 0 ? { ...update, spread } : update;
  }

  #merge(update: Update, digestRequestedAtMs?: number): void {
    // A late signal of a topic that is not watched any more.
    if (!this.#registers.get(update.topic) && !this.#interest.isWatched(update.topic)) return;
    const register = this.#registers.merge(update);
    if (!register) return;
    this.#report.received(update, digestRequestedAtMs);
    this.#touch(register);
  }

  #touch(register: Register): void {
    if (!this.#flushes.touch(register)) this.#report.conflated();
  }

  #loaded(topic: Topic, stored: Update | undefined): void {
    if (stored) this.#repair.saw(topic, stored.version);
    if (this.#registers.loaded(topic)) {
      // Watched again after the watch was lost: an update may have been missed in between.
      if (stored) this.#merge(stored);
      else this.#registers.foundEmpty(topic, this.#clock.monotonicMs());
      return;
    }
    this.#registers.load(topic, stored, this.#clock.monotonicMs());
    if (this.fresh) this.#pending.notify(topic, true);
  }

  #freshnessChanged(fresh: boolean): void {
    if (fresh) this.#recentPast.becameFresh();
    else this.#recentPast.becameStale(this.provenUntilMs);
    this.#freshnessFlush = this.#flushes.next();
    this.#fanout.sendFreshness(fresh);
    for (const topic of this.#pending.topics) {
      if (!fresh || this.isFresh(topic)) this.#pending.notify(topic, fresh);
    }
  }

  /** Notifies the subscribers of each topic with a higher current version: their content may be out of date. */
  #raise(topics: readonly Topic[]): void {
    let raised = false;
    for (const topic of topics) {
      const wantedMs = this.#fanout.spreadMs(topic, this.#subscribers.count(topic));
      const register = this.#registers.raise(topic, Math.max(this.#floorSpreadMs, wantedMs));
      if (!register) continue;
      this.#touch(register);
      raised = true;
    }
    if (raised) this.#fanout.pace(this.#flushes.upcoming, this.#floorSpreadMs);
  }
}
