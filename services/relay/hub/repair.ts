import type { BrokerFeed, Changed, Digest } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import { Partition } from './partition.ts';

/** A relay is fresh while every partition was digested within this many intervals. */
export const FRESH_INTERVALS = 3;

/** What repair finds out, and what it asks of the hub. */
export interface RepairHandler {
  /** Topics of a partition whose signals flow, with the version that this relay has. */
  watchedIn(partition: number): Iterable<readonly [Topic, Version]>;
  /** The version of the newest update that is known of a topic whose signals flow; undefined for other topics. */
  versionOf(topic: Topic): Version | undefined;
  /** A digest names these topics of a partition, or may have left out any: whatever is being read may be older. */
  changed(partition: number, topics: readonly Topic[] | 'all'): void;
  /** Registers that pub/sub has not brought, and when the digest that names them was asked for. */
  repaired(updates: readonly Update[], askedAtMs: number): void;
  /** Topics that have no register any more, where an update may have come and gone unseen. */
  expired(topics: readonly Topic[]): void;
  floorRaised(partition: number): void;
  freshnessChanged(fresh: boolean): void;
}

/** What repair reports, for metrics. */
export interface RepairReport {
  digested(seconds: number): void;
  digestFailed(): void;
  updatesRepaired(count: number): void;
  floorRaised(): void;
  deafSubscriptionReplaced(): void;
  /** A round of digests begins, since it was time or since the link to the broker came up. */
  roundBegun(cause: 'interval' | 'link'): void;
  freshness(fresh: boolean): void;
}

/** A register to read, with the version that a digest has named. */
interface Wanted {
  readonly topic: Topic;
  readonly version?: Version;
}

type Feed = Pick<BrokerFeed, 'partitions' | 'partitionOf' | 'digest' | 'read' | 'resetSubscription'>;

/**
 * Makes up for everything that signals may lose: at every interval, and whenever the link comes up, it reads
 * each partition's digest since its cursor and those registers that are watched and not known yet.
 */
export class Repair {
  readonly partitions: readonly Partition[];
  readonly #feed: Feed;
  readonly #handler: RepairHandler;
  readonly #report: RepairReport;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #expiry: Timer | undefined;
  #round: Promise<void> | undefined;
  #again = false;
  #fresh = false;
  #freshUntilMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(deps: { feed: Feed; handler: RepairHandler; report: RepairReport; clock: Clock; intervalMs: number }) {
    this.#feed = deps.feed;
    this.#handler = deps.handler;
    this.#report = deps.report;
    this.#clock = deps.clock;
    this.#intervalMs = deps.intervalMs;
    this.partitions = Array.from({ length: deps.feed.partitions }, () => new Partition());
  }

  /** Whether this relay can vouch for its registers. A process that stood still finds out before its timers do. */
  get fresh(): boolean {
    return this.#fresh && this.#clock.monotonicMs() < this.#freshUntilMs;
  }

  /** How long ago the oldest of the partitions' last digests was asked for, in milliseconds; Infinity without one. */
  get digestAgeMs(): number {
    return this.#clock.monotonicMs() - Math.min(...this.partitions.map((state) => state.digestedAtMs));
  }

  start(): void {
    this.repairNow('interval');
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#expiry?.cancel();
  }

  /** Starts a round of digests at once, or another one after that which is under way. */
  repairNow(cause: 'interval' | 'link'): void {
    if (this.#stopped) return;
    if (this.#round) {
      this.#again = true;
      return;
    }
    this.#report.roundBegun(cause);
    this.#timer?.cancel();
    this.#round = this.#runRound().finally(() => {
      this.#round = undefined;
      if (this.#again) {
        this.#again = false;
        this.repairNow('link');
      } else if (!this.#stopped) {
        const jittered = this.#intervalMs * (0.9 + 0.2 * this.#clock.random());
        this.#timer = this.#clock.after(jittered, () => this.repairNow('interval'));
      }
    });
  }

  /** A register has been read with this version, which may be newer than any digest. */
  saw(topic: Topic, version: Version): void {
    this.partitions[this.#feed.partitionOf(topic)]?.saw(version);
  }

  /** A signal has brought this version. */
  signalled(partition: number, topic: Topic, version: Version): void {
    const state = this.partitions[partition];
    if (!state) return;
    state.saw(version);
    const missing = state.unsignalled.get(topic);
    if (missing !== undefined && missing.version <= version) state.unsignalled.delete(topic);
  }

  /** A signal has brought a floor. */
  raiseFloor(partition: number, floor: Version, raise?: string): void {
    const state = this.partitions[partition];
    if (!state) return;
    const isFirst = state.floor === 0; // nothing was believed before
    if (!state.raiseFloor(floor, raise) || isFirst) return;
    this.#report.floorRaised();
    this.#handler.floorRaised(partition);
  }

  /** The watches of these partitions are void, so that signals missing there prove nothing. */
  lost(partitions: readonly number[]): void {
    for (const partition of partitions) this.partitions[partition]?.unsignalled.clear();
  }

  async #runRound(): Promise<void> {
    await Promise.all(
      this.partitions.map((state, partition) =>
        this.#repair(partition, state).catch(() => this.#report.digestFailed()),
      ),
    );
    this.#judgeFreshness();
  }

  async #repair(partition: number, state: Partition): Promise<void> {
    let more = true;
    while (more && !this.#stopped) {
      const askedAtMs = this.#clock.monotonicMs();
      const digest = await this.#feed.digest(partition, state.witness, state.cursor);
      this.#report.digested((this.#clock.monotonicMs() - askedAtMs) / 1000);
      await this.#apply(partition, state, digest, askedAtMs);
      more = digest.hasMore;
      if (!more) state.digestedAtMs = askedAtMs;
    }
    this.#suspect(partition, state);
  }

  async #apply(partition: number, state: Partition, digest: Digest, askedAtMs: number): Promise<void> {
    const floorBefore = state.floor;
    const complete = digest.completeAfter <= state.cursor && digest.last >= state.cursor;
    const baseBefore = state.currentVersion(0);
    state.learn(digest, askedAtMs);
    if (state.floor > floorBefore && floorBefore > 0) {
      this.#report.floorRaised();
      this.#handler.floorRaised(partition);
    }
    this.#handler.changed(partition, complete ? digest.changed.map(({ topic }) => topic) : 'all');
    const wanted: readonly Wanted[] = complete ? this.#missing(digest.changed) : this.#watchedIn(partition);
    if (wanted.length > 0) {
      const known = wanted.map(({ topic }) => this.#handler.versionOf(topic));
      const registers = await this.#feed.read(wanted.map(({ topic }) => topic));
      // Where a register is gone though the digest names its version, only what came along is lost.
      const updates = wanted
        .map(({ topic, version }, i) => registers[i] ?? (version === undefined ? undefined : { topic, version }))
        .filter((update) => update !== undefined);
      this.#repaired(state, updates, { complete, askedAtMs });
      // An update that was signalled after the read is not gone.
      const gone = wanted.filter(({ topic }, i) => !registers[i] && this.#handler.versionOf(topic) === known[i]);
      if (!complete && state.currentVersion(0) > baseBefore) this.#handler.expired(gone.map(({ topic }) => topic));
    }
    // Only now: a digest whose registers could not be read is asked for again.
    state.moveCursor(digest.hasMore && complete ? (digest.changed.at(-1)?.version ?? digest.last) : digest.last);
  }

  #repaired(
    state: Partition,
    updates: readonly Update[],
    digest: { readonly complete: boolean; readonly askedAtMs: number },
  ): void {
    const news = updates.filter(({ topic, version }) => version > (this.#handler.versionOf(topic) ?? Infinity));
    const atMs = this.#clock.monotonicMs();
    for (const { topic, version } of news) {
      state.saw(version);
      if (digest.complete && !state.unsignalled.has(topic)) state.unsignalled.set(topic, { version, atMs });
    }
    this.#report.updatesRepaired(news.length);
    this.#handler.repaired(news, digest.askedAtMs);
  }

  #missing(changed: readonly Changed[]): readonly Wanted[] {
    return changed.filter(({ topic, version }) => version > (this.#handler.versionOf(topic) ?? Infinity));
  }

  #watchedIn(partition: number): readonly Wanted[] {
    return [...this.#handler.watchedIn(partition)].map(([topic]) => ({ topic }));
  }

  /** A signal that is still missing most of an interval after the digest had it never comes: the subscription is deaf. */
  #suspect(partition: number, state: Partition): void {
    const overdue = this.#clock.monotonicMs() - this.#intervalMs / 2;
    const deaf = [...state.unsignalled].some(
      ([topic, { atMs }]) => atMs <= overdue && this.#handler.versionOf(topic) !== undefined,
    );
    if (!deaf) return;
    state.unsignalled.clear();
    this.#report.deafSubscriptionReplaced();
    this.#feed.resetSubscription(partition);
  }

  #judgeFreshness(): void {
    if (this.#stopped) return;
    if (!this.fresh) this.#become(false); // whoever has asked meanwhile knows it already
    const oldest = Math.min(...this.partitions.map((state) => state.digestedAtMs));
    this.#freshUntilMs = oldest + FRESH_INTERVALS * this.#intervalMs;
    const leftMs = this.#freshUntilMs - this.#clock.monotonicMs();
    this.#expiry?.cancel();
    if (leftMs > 0) this.#expiry = this.#clock.after(leftMs, () => this.#judgeFreshness());
    this.#become(leftMs > 0);
  }

  #become(fresh: boolean): void {
    if (fresh === this.#fresh) return;
    this.#fresh = fresh;
    this.#report.freshness(fresh);
    this.#handler.freshnessChanged(fresh);
  }
}
