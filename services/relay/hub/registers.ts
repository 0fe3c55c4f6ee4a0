import type { Topic } from '../../shared/update/topic.ts';
import { merge, type Update, type Version } from '../../shared/update/update.ts';
import type { Flushable } from './flushes.ts';

/** A topic's state on this relay. Only grows: neither `update.version` nor, until the broker loses it, `stored` decreases. */
export interface Register extends Flushable {
  readonly partition: number;
  /** The newest update or floor raise, to be delivered or delivered already. */
  update: Update;
  /** Version of the newest known update; 0 if there is none. Below `update.version` after a floor raise. */
  stored: Version;
  /** No update up to this version is missing: the broker's version of the topic when it had no register of it; 0 if it had one. */
  emptyUpTo: Version;
  /** When the broker had no register of it and no update has come since, by the monotonic clock in milliseconds; else undefined. */
  emptyAtMs: number | undefined;
  /** Memory that the `data` of `update` takes, in bytes. */
  dataBytes: number;
  /** Number of clients that the last delivery went to. */
  delivered: number;
  /** Whether it was read while watched: from then on signals and digests keep it current. */
  loaded: boolean;
  /** Whether `update` is a floor raise, which is not delivered to legacy clients but paced. */
  paced: boolean;
}

const EMPTY = {
  stored: 0,
  emptyUpTo: 0,
  emptyAtMs: undefined,
  dataBytes: 0,
  delivered: 0,
  flushed: 0,
  loaded: false,
  dirty: false,
  paced: false,
};

/** The registers of the topics that this relay watches. */
export class Registers {
  readonly #registers = new Map<Topic, Register>();
  readonly #partitionOf: (topic: Topic) => number;
  readonly #currentVersion: (partition: number, stored: Version) => Version;
  readonly #floorOf: (partition: number) => Version;
  readonly #maxDataBytes: number;
  readonly #dataDropped: () => void;
  #dataBytes = 0;

  /**
   * @param deps.currentVersion returns the current version of a topic. `stored` is the version of its newest update; 0 if it has none
   * @param deps.maxDataBytes memory for the `data` of all registers: an update that does not fit loses its `data`, so clients fetch
   * @param deps.dataDropped called for each such update
   */
  constructor(deps: {
    partitionOf: (topic: Topic) => number;
    currentVersion: (partition: number, stored: Version) => Version;
    floorOf: (partition: number) => Version;
    maxDataBytes: number;
    dataDropped: () => void;
  }) {
    this.#partitionOf = deps.partitionOf;
    this.#currentVersion = deps.currentVersion;
    this.#floorOf = deps.floorOf;
    this.#maxDataBytes = deps.maxDataBytes;
    this.#dataDropped = deps.dataDropped;
  }

  /** Memory that the `data` of all registers takes, in bytes. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  get(topic: Topic): Register | undefined {
    return this.#registers.get(topic);
  }

  /** Returns the register if it is loaded. */
  loaded(topic: Topic): Register | undefined {
    const register = this.#registers.get(topic);
    return register?.loaded ? register : undefined;
  }

  /** Iterates over the loaded registers of a partition, with the version that their clients were notified of. */
  *loadedIn(partition: number): Iterable<readonly [Topic, Version]> {
    for (const [topic, register] of this.#registers) {
      if (register.loaded && register.partition === partition) yield [topic, register.update.version];
    }
  }

  /** Removes the register of a topic that is not watched any more. */
  forget(topic: Topic): void {
    this.#dataBytes -= this.#registers.get(topic)?.dataBytes ?? 0;
    this.#registers.delete(topic);
  }

  /** Returns the topic's newest update; without its content if the current version is another one. */
  current(topic: Topic): Update {
    const { update, stored, partition } = this.#registers.get(topic) ?? this.#create(topic);
    const version = this.#currentVersion(partition, stored);
    return version === update.version ? update : { topic, version };
  }

  /** Merges an update from any source. Returns the register if the update is newer, and above the floor. */
  merge(update: Update): Register | undefined {
    const register = this.#provide(update.topic);
    if (update.version > register.stored) {
      register.stored = update.version;
      register.emptyAtMs = undefined;
    }
    // Clients that subscribed since the floor was raised were notified of that, and may show later content than this.
    // One that is not retained any more was missed for a day, so it counts.
    if (update.version <= this.#floorOf(register.partition)) return undefined;
    const merged = merge(register.update, update);
    if (merged === register.update) return undefined;
    this.#set(register, merged);
    register.paced = false;
    return register;
  }

  /**
   * Lists the topics of a partition of which the broker had no register when it was read, since a time of the monotonic clock:
   * those without an update since, and whose version is now the base, because that has moved.
   */
  emptySince(partition: number, sinceMs: number): readonly Topic[] {
    const base = this.#currentVersion(partition, 0);
    const isEmpty = (register: Register) =>
      register.partition === partition && register.emptyAtMs !== undefined && register.emptyAtMs >= sinceMs;
    const isBelow = ({ stored, emptyUpTo }: Register) => Math.max(stored, emptyUpTo) < base;
    return [...this.#registers].flatMap(([topic, register]) => (isEmpty(register) && isBelow(register) ? [topic] : []));
  }

  /** Notes that the broker had no register of a loaded topic when it was read again. */
  foundEmpty(topic: Topic, atMs: number): void {
    const register = this.#registers.get(topic);
    if (register) register.emptyAtMs = atMs;
  }

  /** Takes the stored register, read for the first time: there is no client to deliver it to yet. */
  load(topic: Topic, stored: Update | undefined, atMs: number): void {
    const register = this.#provide(topic);
    register.loaded = true;
    if (!stored) {
      register.emptyAtMs = atMs;
      register.emptyUpTo = this.#currentVersion(register.partition, 0);
      return;
    }
    register.stored = Math.max(register.stored, stored.version);
    this.#set(register, merge(register.update, stored));
  }

  /** Notes that the broker has no update of the topic any more. */
  expire(topic: Topic): void {
    const register = this.#registers.get(topic);
    if (!register) return;
    register.stored = 0;
    register.emptyUpTo = this.#currentVersion(register.partition, 0);
  }

  /**
   * Makes the topic's current version an update if it is above the one that clients were notified of, as after a floor
   * raise. Returns the register in that case.
   */
  raise(topic: Topic, spreadMs: number): Register | undefined {
    const register = this.#registers.get(topic);
    if (!register) return undefined;
    const version = this.#currentVersion(register.partition, register.stored);
    if (version <= register.update.version) return undefined;
    this.#set(register, { topic, version, spread: spreadMs });
    register.paced = true;
    return register;
  }

  #set(register: Register, update: Update): void {
    const { data, ...rest } = update;
    const bytes = memoryOf(data ?? '');
    const others = this.#dataBytes - register.dataBytes;
    const fits = others + bytes <= this.#maxDataBytes;
    if (!fits) this.#dataDropped();
    register.update = fits ? update : rest;
    register.dataBytes = fits ? bytes : 0;
    this.#dataBytes = others + register.dataBytes;
  }

  #provide(topic: Topic): Register {
    let register = this.#registers.get(topic);
    if (!register) {
      register = this.#create(topic);
      this.#registers.set(topic, register);
    }
    return register;
  }

  #create(topic: Topic): Register {
    return { ...EMPTY, partition: this.#partitionOf(topic), update: { topic, version: 0 } };
  }
}

/** Returns the memory that a text takes at most: the engine uses two bytes for each character unless all are Latin. */
function memoryOf(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}
