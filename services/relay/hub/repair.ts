import type { BrokerFeed, Changed, Digest, PartitionState, Probe, SignalProof } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import { Partition } from './partition.ts';

/** A relay is fresh while every partition was proven, and every topic watched and loaded, within this many intervals. */
export const FRESH_INTERVALS = 3;

/** The part of an interval that signals may take to arrive after a probe, before changes are listed instead. */
const SIGNALS_WITHIN = 0.25;

/** All registers are compared with the broker's versions within this time, in milliseconds, and after at least half of it. */
export const AUDIT_INTERVAL_MS = 60_000;

/** Receives what repair finds, and knows the registers. */
export interface RepairHandler {
  /** Iterates over the loaded registers of a partition, with the version that their clients were notified of. */
  watchedIn(partition: number): Iterable<readonly [Topic, Version]>;
  /** Returns the version of the newest known update of a topic; undefined if its register is not loaded. */
  versionOf(topic: Topic): Version | undefined;
  /** Returns a version up to which no update of a loaded topic is missing, because the broker had no register of it; else 0. */
  emptyUpTo(topic: Topic): Version;
  /** Lists topics of a partition of which the broker had no register when it was read, since a time of the monotonic clock. */
  emptySince(partition: number, sinceMs: number): readonly Topic[];
  /** Since when a topic is not watched, or not loaded, in milliseconds of the monotonic clock; undefined if none is. */
  unprovenSinceMs(): number | undefined;
  /** Whether a loaded topic of the partition lost its watch, and is not watched and read again yet. */
  hasRelapsed(partition: number): boolean;
  /** These topics of a partition, or all of them, may have changed: a read that is under way may return an older state. */
  changed(partition: number, topics: readonly Topic[] | 'all'): void;
  /**
   * These updates had no signal.
   * @param requestedAtMs when their digest was requested, by the monotonic clock
   */
  repaired(updates: readonly Update[], requestedAtMs: number): void;
  /** The broker has no register of these topics any more, and an update may have been missed before it expired. */
  expired(topics: readonly Topic[]): void;
  floorRaised(partition: number): void;
  /** Called for each change, after the digests that caused it. */
  freshnessChanged(fresh: boolean): void;
  /** Probes of all partitions are being sent: other calls cost the broker less if they go with them. */
  probing(): void;
}

/** Events of repair, for telemetry. */
export interface RepairReport {
  /** A probe or a digest succeeded. */
  digested(seconds: number): void;
  digestFailed(): void;
  /** What a probe has proven. If that is not `complete`, a digest follows. */
  probed(proof: SignalProof): void;
  /** A digest brought this many updates without a signal, perhaps 0. */
  updatesRepaired(count: number): void;
  /** The floor of a partition was raised. */
  floorRaised(): void;
  /** Signals did not arrive although Redis had acknowledged the subscription. */
  deafSubscriptionReplaced(): void;
  /** A round of digests begins, because the interval is over or the link to the broker came up. */
  roundBegun(cause: 'interval' | 'link'): void;
  /** @param cause what made this relay stale: no digest succeeded, or a topic could not be subscribed to */
  freshness(fresh: boolean, cause?: StaleCause): void;
}

export type StaleCause = 'digest' | 'subscription';

/** A register to read, with its version if a digest has it. */
interface Wanted {
  readonly topic: Topic;
  readonly version?: Version;
}

type Feed = Pick<
  BrokerFeed,
  'partitions' | 'partitionOf' | 'probe' | 'digest' | 'recentVersions' | 'read' | 'resetSubscription'
>;

/**
 * Finds everything that signals may lose. At every interval, a probe of each partition proves that its signals have arrived.
 * If it does not, after a lost watch, and when the link comes up, it reads the partition's digest since its cursor, and the
 * registers that changed without a signal. From that follows freshness: this relay is fresh while every partition was
 * proven within the last three intervals, and no topic waits longer for its watch or its register. Failed calls are
 * repeated at the next interval; no method throws.
 */
export class Repair {
  readonly partitions: readonly Partition[];
  readonly #feed: Feed;
  readonly #handler: RepairHandler;
  readonly #report: RepairReport;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #auditIntervalMs: number;
  #timer: Timer | undefined;
  #expiry: Timer | undefined;
  #round: Promise<void> | undefined;
  #again = false;
  #fresh = false;
  #freshUntilMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(deps: {
    feed: Feed;
    handler: RepairHandler;
    report: RepairReport;
    clock: Clock;
    intervalMs: number;
    auditIntervalMs?: number;
  }) {
    this.#feed = deps.feed;
    this.#handler = deps.handler;
    this.#report = deps.report;
    this.#clock = deps.clock;
    this.#intervalMs = deps.intervalMs;
    this.#auditIntervalMs = deps.auditIntervalMs ?? AUDIT_INTERVAL_MS;
    this.partitions = Array.from({ length: deps.feed.partitions }, () => new Partition());
  }

  /** Whether this relay is fresh, by the clock: a process that was suspended knows before its timers fire. */
  get fresh(): boolean {
    return this.#fresh && this.#clock.monotonicMs() < this.#freshUntilMs;
  }

  /** Age of the oldest of the partitions' last probes or digests that proved something, in milliseconds; Infinity before all have one. */
  get digestAgeMs(): number {
    return this.#clock.monotonicMs() - this.#digestedAtMs;
  }

  /** The time until which this relay is proven to have missed nothing, in milliseconds of the monotonic clock; -Infinity at first. */
  get provenUntilMs(): number {
    return Math.min(this.#digestedAtMs, this.#handler.unprovenSinceMs() ?? Number.POSITIVE_INFINITY);
  }

  get #digestedAtMs(): number {
    return Math.min(...this.partitions.map((state) => state.digestedAtMs));
  }

  start(): void {
    this.repairNow('interval');
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#expiry?.cancel();
  }

  /** Starts a round of probes now, or directly after the round that is under way. */
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

  /** Becomes fresh or stale by what is proven now. Called after each round, when freshness expires, and after topics were loaded. */
  updateFreshness(): void {
    if (this.#stopped) return;
    if (!this.fresh) this.#become(false); // a caller of `fresh` may have seen that it expired
    this.#freshUntilMs = this.provenUntilMs + FRESH_INTERVALS * this.#intervalMs;
    const leftMs = this.#freshUntilMs - this.#clock.monotonicMs();
    this.#expiry?.cancel();
    if (leftMs > 0) this.#expiry = this.#clock.after(leftMs, () => this.updateFreshness());
    this.#become(leftMs > 0);
  }

  /** Notes the version of a register that was read, which may be newer than any digest. */
  saw(topic: Topic, version: Version): void {
    this.partitions[this.#feed.partitionOf(topic)]?.saw(version);
  }

  /** Notes the version of a signal. */
  signalled(partition: number, topic: Topic, version: Version): void {
    const state = this.partitions[partition];
    if (!state) return;
    state.saw(version);
    const missing = state.unsignalled.get(topic);
    if (missing !== undefined && missing.version <= version) state.unsignalled.delete(topic);
  }

  /** Takes the floor of a signal. */
  raiseFloor(partition: number, floor: Version, raise?: string): void {
    const state = this.partitions[partition];
    if (!state) return;
    const isFirst = state.floor === 0;
    if (!state.raiseFloor(floor, raise) || isFirst) return;
    this.#report.floorRaised();
    this.#handler.floorRaised(partition);
  }

  /** Notes that the watches of partitions were lost: until changes were listed, neither missing signals nor markers prove anything. */
  lost(partitions: readonly number[]): void {
    for (const partition of partitions) this.partitions[partition]?.lose();
  }

  async #runRound(): Promise<void> {
    const repaired = this.partitions.map((state, partition) =>
      this.#repair(partition, state).catch(() => this.#report.digestFailed()),
    );
    this.#handler.probing();
    await Promise.all(repaired);
    this.updateFreshness();
  }

  async #repair(partition: number, state: Partition): Promise<void> {
    const { losses } = state;
    const proof = await this.#probe(partition, state);
    if (proof !== 'complete') await this.#list(partition, state);
    if (this.#clock.monotonicMs() >= state.auditDueMs) await this.#audit(partition, state);
    // Once for all partitions of the connection: the first replacement loses the watches of all.
    if (proof === 'lost' && state.losses === losses) this.#replace(partition, state);
    else this.#replaceIfDeaf(partition, state);
  }

  /** Returns what the signals of a partition have proven; `unproven` without a probe if they cannot prove anything. */
  async #probe(partition: number, state: Partition): Promise<SignalProof> {
    if (!state.isListed || this.#handler.hasRelapsed(partition)) return 'unproven';
    const { losses } = state;
    const requestedAtMs = this.#clock.monotonicMs();
    const probe = await this.#feed.probe(partition, state.witness, this.#intervalMs * SIGNALS_WITHIN);
    this.#report.digested((this.#clock.monotonicMs() - requestedAtMs) / 1000);
    const proof = state.losses === losses ? provenBy(probe, state) : 'unproven';
    this.#report.probed(proof);
    if (proof === 'complete') {
      this.#learn(partition, state, { learned: probe, requestedAtMs });
      state.moveCursor(probe.last);
      state.digestedAtMs = requestedAtMs;
    }
    return proof;
  }

  async #list(partition: number, state: Partition): Promise<void> {
    const { losses } = state;
    let more = true;
    while (more && !this.#stopped) {
      const requestedAtMs = this.#clock.monotonicMs();
      const digest = await this.#feed.digest(partition, state.witness, state.cursor);
      this.#report.digested((this.#clock.monotonicMs() - requestedAtMs) / 1000);
      await this.#apply(partition, state, digest, requestedAtMs);
      more = digest.hasMore;
      if (!more) state.digestedAtMs = requestedAtMs;
    }
    state.listed(losses);
  }

  /** Compares every register with the broker's version: signals of a single topic may be missing on an intact connection. */
  async #audit(partition: number, state: Partition): Promise<void> {
    const requestedAtMs = this.#clock.monotonicMs();
    const { cursor } = state;
    const watched = this.#watchedIn(partition);
    const versions = await this.#recentVersions(state, watched);
    const changed = watched.flatMap(({ topic }, i) => {
      const version = versions?.[i];
      // The list of recent changes may name an update whose register has expired, if the broker's clock has stepped.
      return version === undefined || version <= this.#handler.emptyUpTo(topic) ? [] : [{ topic, version }];
    });
    await this.#readNewer(state, versions ? this.#missing(changed) : watched, { complete: true, requestedAtMs });
    this.#audited(state, cursor);
  }

  /** Returns the versions of topics; undefined if the broker does not list changes as far back as the last audit, or not at all. */
  async #recentVersions(state: Partition, wanted: readonly Wanted[]): Promise<(Version | undefined)[] | undefined> {
    if (state.completeAfter > state.auditedTo) return undefined;
    // A user of Redis may lack the permission, which is a new one.
    return this.#feed.recentVersions(wanted.map(({ topic }) => topic)).catch(() => undefined);
  }

  #audited(state: Partition, cursor: Version): void {
    state.auditedTo = cursor;
    state.auditDueMs = this.#clock.monotonicMs() + this.#auditIntervalMs * (0.5 + 0.4 * this.#clock.random());
  }

  async #apply(partition: number, state: Partition, digest: Digest, requestedAtMs: number): Promise<void> {
    const floorBefore = state.floor;
    const complete = digest.completeAfter <= state.cursor && digest.last >= state.cursor;
    const baseBefore = state.currentVersion(0);
    this.#learn(partition, state, { learned: digest, requestedAtMs });
    if (state.floor > floorBefore && floorBefore > 0) {
      this.#report.floorRaised();
      this.#handler.floorRaised(partition);
    }
    this.#handler.changed(partition, complete ? digest.changed.map(({ topic }) => topic) : 'all');
    const wanted = complete ? this.#missing(digest.changed) : this.#watchedIn(partition);
    const gone = await this.#readNewer(state, wanted, { complete, requestedAtMs });
    if (!complete && state.currentVersion(0) > baseBefore) this.#handler.expired(gone);
    if (!complete || state.cursor === 0) this.#audited(state, digest.last);
    // Last, so that a digest whose registers could not be read is repeated.
    state.moveCursor(digest.hasMore && complete ? (digest.changed.at(-1)?.version ?? digest.last) : digest.last);
  }

  #learn(
    partition: number,
    state: Partition,
    { learned, requestedAtMs }: { learned: PartitionState; requestedAtMs: number },
  ): void {
    const isClockStep = state.isClockStep(learned, requestedAtMs);
    state.learn(learned, requestedAtMs);
    // A register that was missing since may have expired too early, with an update that was missed.
    const missing = isClockStep ? this.#handler.emptySince(partition, state.digestedAtMs) : [];
    if (missing.length > 0) this.#handler.expired(missing);
  }

  /** Reads registers and merges newer updates. Returns the topics without a register, except those signalled meanwhile. */
  async #readNewer(
    state: Partition,
    wanted: readonly Wanted[],
    digest: { readonly complete: boolean; readonly requestedAtMs: number },
  ): Promise<readonly Topic[]> {
    if (wanted.length === 0) return [];
    const known = wanted.map(({ topic }) => this.#handler.versionOf(topic));
    const registers = await this.#feed.read(wanted.map(({ topic }) => topic));
    const updates = wanted.map((each, i) => newerOf(each, registers[i])).filter((update) => update !== undefined);
    this.#repaired(state, updates, digest);
    return wanted
      .filter(({ topic }, i) => !registers[i] && this.#handler.versionOf(topic) === known[i])
      .map(({ topic }) => topic);
  }

  #repaired(
    state: Partition,
    updates: readonly Update[],
    digest: { readonly complete: boolean; readonly requestedAtMs: number },
  ): void {
    const newer = updates.filter(({ topic, version }) => version > (this.#handler.versionOf(topic) ?? Infinity));
    const atMs = this.#clock.monotonicMs();
    for (const { topic, version } of newer) {
      state.saw(version);
      if (digest.complete && !state.unsignalled.has(topic)) state.unsignalled.set(topic, { version, atMs });
    }
    this.#report.updatesRepaired(newer.length);
    this.#handler.repaired(newer, digest.requestedAtMs);
  }

  #missing(changed: readonly Changed[]): readonly Wanted[] {
    return changed.filter(({ topic, version }) => version > (this.#handler.versionOf(topic) ?? Infinity));
  }

  #watchedIn(partition: number): readonly Wanted[] {
    return [...this.#handler.watchedIn(partition)].map(([topic]) => ({ topic }));
  }

  /** Replaces the subscription if a signal is missing half an interval after its digest. */
  #replaceIfDeaf(partition: number, state: Partition): void {
    const overdue = this.#clock.monotonicMs() - this.#intervalMs / 2;
    const deaf = [...state.unsignalled].some(
      ([topic, { atMs }]) => atMs <= overdue && this.#handler.versionOf(topic) !== undefined,
    );
    if (deaf) this.#replace(partition, state);
  }

  #replace(partition: number, state: Partition): void {
    state.unsignalled.clear();
    this.#report.deafSubscriptionReplaced();
    this.#feed.resetSubscription(partition);
  }

  #become(fresh: boolean): void {
    if (fresh === this.#fresh) return;
    this.#fresh = fresh;
    const cause = this.#digestedAtMs > this.provenUntilMs ? 'subscription' : 'digest';
    this.#report.freshness(fresh, fresh ? undefined : cause);
    this.#handler.freshnessChanged(fresh);
  }
}

/** Returns what a probe proves to a relay that knows the earlier state of the partition. */
function provenBy(probe: Probe, state: Partition): SignalProof {
  return probe.signals === 'complete' && !state.isContinuedBy(probe) ? 'unproven' : probe.signals;
}

/**
 * Returns the register that was read, or only the version that the digest named: the register may have expired since, or have been
 * read from a server that was promoted without it.
 */
function newerOf({ topic, version = 0 }: Wanted, register: Update | undefined): Update | undefined {
  if (register && register.version >= version) return register;
  return version > 0 ? { topic, version } : undefined;
}
