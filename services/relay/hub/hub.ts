import type { BrokerFeed, FeedHandler } from '../../shared/broker/broker.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import type { Fanout, HubReport } from './fanout.ts';
import { Flushes } from './flushes.ts';
import type { HubDeps } from './hub-deps.ts';
import { PendingSubscribers, type Subscriber } from './pending-subscribers.ts';
import type { Register } from './register.ts';
import { Registers } from './registers.ts';
import { Repair } from './repair.ts';
import { SubscriberCounts } from './subscriber-counts.ts';
import { TopicInterest } from './topic-interest.ts';

/**
 * The core of a relay: the registers of the topics that its clients listen to. What arrives is merged first;
 * at the end of the turn each changed topic is handed to the fanout once.
 */
export class Hub implements FeedHandler {
  readonly #feed: BrokerFeed;
  readonly #fanout: Fanout;
  readonly #report: HubReport;
  readonly #floorSpreadMs: number;
  readonly #spreadOf: (topic: Topic, subscribers: number) => number;
  readonly #members = new SubscriberCounts();
  readonly #interest: TopicInterest;
  readonly #repair: Repair;
  readonly #registers: Registers;
  readonly #waiting = new PendingSubscribers();
  readonly #flushes: Flushes<Register>;
  #freshnessFlushed = 0;

  constructor(deps: HubDeps) {
    const { feed, clock, report } = deps;
    this.#feed = feed;
    this.#fanout = deps.fanout;
    this.#report = report;
    this.#floorSpreadMs = deps.floorSpreadMs;
    this.#spreadOf = deps.spreadOf ?? (() => 0);
    this.#flushes = new Flushes({ clock, flush: (register) => this.#deliver(register) });
    this.#registers = new Registers({
      partitionOf: (topic) => feed.partitionOf(topic),
      numberOf: (partition, stored) => this.#repair.partitions[partition]?.currentVersion(stored) ?? stored,
    });
    const loaded = (topic: Topic, stored: Update | undefined) => this.#settle(topic, stored);
    const forget = (topic: Topic) => this.#registers.forget(topic);
    this.#interest = new TopicInterest({ feed, clock, handler: { loaded, forget } });
    this.#repair = new Repair({
      feed,
      clock,
      report,
      intervalMs: deps.repairIntervalMs,
      handler: {
        watchedIn: (partition) => this.#registers.loadedIn(partition),
        versionOf: (topic) => this.#registers.loaded(topic)?.stored,
        changed: (partition, topics) => this.#interest.changed(partition, topics),
        repaired: (updates, askedAtMs) => {
          for (const update of updates) this.#merge(update, askedAtMs);
        },
        expired: (topics) => {
          for (const topic of topics) this.#registers.expire(topic);
          this.#lift(topics);
        },
        floorRaised: (partition) => this.#lift([...this.#registers.loadedIn(partition)].map(([topic]) => topic)),
        freshnessChanged: (fresh) => this.#freshnessChanged(fresh),
      },
    });
    feed.setFeedHandler(this);
  }

  /** Begins to repair; the feed is started by its owner. */
  start(): void {
    this.#repair.start();
  }

  stop(): void {
    this.#repair.stop();
    this.#interest.stop();
  }

  /** Whether this relay can vouch for its registers. */
  get fresh(): boolean {
    return this.#repair.fresh;
  }

  /** How old what this relay knows may be at most, in milliseconds; Infinity before it knows anything. */
  get digestAgeMs(): number {
    return this.#repair.digestAgeMs;
  }

  get topics(): number {
    return this.#members.size;
  }

  /** Whether the topic is kept, or so many topics may be kept that it may be too; those just left are kept for a while. */
  hasRoom(topic: Topic, maxTopics: number): boolean {
    return this.#interest.size < maxTopics || this.#interest.has(topic);
  }

  /** The number of this node's members of a topic. */
  subscribers(topic: Topic): number {
    return this.#members.count(topic);
  }

  /** Adds a member to a topic: from now on its register is kept. */
  subscribe(topic: Topic): void {
    if (this.#members.join(topic)) this.#interest.acquire(topic);
  }

  /**
   * Unless the topic can be vouched for now, the member is called back when it can be, and whenever the relay
   * ceases to be fresh before that.
   */
  awaitFreshness(topic: Topic, member: Subscriber): void {
    if (!this.isFresh(topic)) this.#waiting.add(topic, member);
  }

  unsubscribe(topic: Topic, member: Subscriber): void {
    this.#waiting.remove(topic, member);
    if (this.#members.leave(topic)) this.#interest.release(topic);
  }

  /** Whether this relay knows the topic's register and can vouch for it. */
  isFresh(topic: Topic): boolean {
    return this.fresh && this.#registers.loaded(topic) !== undefined;
  }

  /** What a client of the topic should have: its newest update, under the topic's number. */
  current(topic: Topic): Update {
    return this.#spread(this.#registers.current(topic));
  }

  /** The newest that clients of the topic were to be told while they were away: its update, or a floor raised since. */
  newestVersion(topic: Topic): Version {
    const partition = this.#repair.partitions[this.#feed.partitionOf(topic)];
    return Math.max(this.#registers.get(topic)?.update.version ?? 0, partition?.raised ?? 0);
  }

  /** What the clock by which the topic's versions are made showed at a moment of our own, which never steps. */
  brokerTimeAt(topic: Topic, monotonicMs: number): Version {
    return this.#repair.partitions[this.#feed.partitionOf(topic)]?.brokerTimeAt(monotonicMs) ?? 0;
  }

  /** Marks where a client fell behind: it may have missed what was flushed from here on. */
  get mark(): number {
    return this.#flushes.mark;
  }

  /** Whether all who listen to the topic are told at the end of this turn. */
  isDeliveryPending(topic: Topic): boolean {
    const register = this.#registers.get(topic);
    return register?.dirty === true && !register.paced;
  }

  /**
   * The version that the topic's clients were told last, 0 where they are still to be told something, and how many
   * they were then; undefined where this relay knows nothing of the topic, and nobody listens to it.
   */
  lastDelivered(topic: Topic): { version: Version; told: number } | undefined {
    const register = this.#registers.loaded(topic);
    if (!register && this.#members.count(topic) === 0) return undefined;
    return register && !register.dirty
      ? { version: register.update.version, told: register.delivered }
      : { version: 0, told: 0 };
  }

  /** The place of a topic's last flush; compare with a mark. */
  flushOf(topic: Topic): number {
    return this.#registers.get(topic)?.flushed ?? 0;
  }

  /** The place of the last change of freshness; compare with a mark. */
  get freshnessFlush(): number {
    return this.#freshnessFlushed;
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
    const { update, paced, flushed } = register;
    const told = this.#spread(update);
    const { spread = 0 } = told;
    register.delivered = this.#fanout.deliver(told, paced || spread > 0);
    this.#report.delivered(told, register.delivered, !paced);
    if (!paced && spread > 0) this.#fanout.pace(flushed, spread);
  }

  /** An update whose publisher has not said itself over which time it should be fetched. */
  #spread(update: Update): Update {
    if (update.spread !== undefined) return update;
    const spread = this.#spreadOf(update.topic, this.#members.count(update.topic));
    return spread > 0 ? { ...update, spread } : update;
  }

  /** Takes in what may be newer, from wherever it came. */
  #merge(update: Update, digestAskedAtMs?: number): void {
    if (!this.#registers.get(update.topic) && !this.#interest.isWatched(update.topic)) return; // the rest of an old watch
    const register = this.#registers.merge(update);
    if (!register) return;
    this.#report.received?.(update, digestAskedAtMs);
    this.#touch(register);
  }

  #touch(register: Register): void {
    if (!this.#flushes.touch(register)) this.#report.conflated();
  }

  #settle(topic: Topic, stored: Update | undefined): void {
    if (stored) this.#repair.saw(topic, stored.version);
    if (this.#registers.loaded(topic)) {
      // Watched again after the watch was lost: what came in between is news.
      if (stored) this.#merge(stored);
      return;
    }
    this.#registers.load(topic, stored);
    if (this.fresh) this.#waiting.notify(topic, true);
  }

  #freshnessChanged(fresh: boolean): void {
    this.#freshnessFlushed = this.#flushes.next();
    this.#fanout.sendFreshness(fresh);
    for (const topic of this.#waiting.topics) {
      if (!fresh || this.isFresh(topic)) this.#waiting.notify(topic, fresh);
    }
  }

  /** Everybody who listens to a topic whose number has risen is told once: what they have may be older than what is true. */
  #lift(topics: readonly Topic[]): void {
    let told = false;
    for (const topic of topics) {
      const spreadMs = Math.max(this.#floorSpreadMs, this.#spreadOf(topic, this.#members.count(topic)));
      const register = this.#registers.lift(topic, spreadMs);
      if (!register) continue;
      this.#touch(register);
      told = true;
    }
    if (told) this.#fanout.pace(this.mark, this.#floorSpreadMs);
  }
}
