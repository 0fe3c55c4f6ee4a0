import type { Topic } from '../../shared/update/topic.ts';
import { merge, type Update, type Version } from '../../shared/update/update.ts';
import type { Register } from './register.ts';

/** What every register begins as. */
const FIRST_STATE = { stored: 0, delivered: 0, flushed: 0, loaded: false, dirty: false, paced: false };

/** The registers of the topics that a relay's clients listen to. */
export class Registers {
  readonly #registers = new Map<Topic, Register>();
  readonly #partitionOf: (topic: Topic) => number;
  readonly #numberOf: (partition: number, stored: Version) => Version;

  /** `numberOf` says the number of a topic of a partition whose newest update has this version, 0 for none. */
  constructor(deps: {
    partitionOf: (topic: Topic) => number;
    numberOf: (partition: number, stored: Version) => Version;
  }) {
    this.#partitionOf = deps.partitionOf;
    this.#numberOf = deps.numberOf;
  }

  get(topic: Topic): Register | undefined {
    return this.#registers.get(topic);
  }

  /** The register, if signals and digests keep it true. */
  loaded(topic: Topic): Register | undefined {
    const register = this.#registers.get(topic);
    return register?.loaded ? register : undefined;
  }

  /** The settled registers of a partition, with the version that their clients were told. */
  *loadedIn(partition: number): Iterable<readonly [Topic, Version]> {
    for (const [topic, register] of this.#registers) {
      if (register.loaded && register.partition === partition) yield [topic, register.update.version];
    }
  }

  forget(topic: Topic): void {
    this.#registers.delete(topic);
  }

  /** What a client of the topic should have: its newest update, under the topic's number. */
  current(topic: Topic): Update {
    const { update, stored, partition } = this.#registers.get(topic) ?? this.#create(topic);
    const number = this.#numberOf(partition, stored);
    return number === update.version ? update : { topic, version: number };
  }

  /** Takes in what may be newer, from wherever it came; returns the register where it was. */
  merge(update: Update): Register | undefined {
    const register = this.#provide(update.topic);
    register.stored = Math.max(register.stored, update.version);
    const merged = merge(register.update, update);
    if (merged === register.update) return undefined;
    register.update = merged;
    register.paced = false;
    return register;
  }

  /** Takes in what was read before anything was known: nobody has to be told of it. */
  load(topic: Topic, stored: Update | undefined): void {
    const register = this.#provide(topic);
    register.loaded = true;
    if (!stored) return;
    register.stored = Math.max(register.stored, stored.version);
    register.update = merge(register.update, stored);
  }

  /** There is no update any more, as far as the broker knows. */
  expire(topic: Topic): void {
    const register = this.#registers.get(topic);
    if (register) register.stored = 0;
  }

  /** Where the number is above what clients were told, it becomes an update; returns the register where it did. */
  lift(topic: Topic, spreadMs: number): Register | undefined {
    const register = this.#registers.get(topic);
    if (!register) return undefined;
    const version = this.#numberOf(register.partition, register.stored);
    if (version <= register.update.version) return undefined;
    register.update = { topic, version, spread: spreadMs };
    register.paced = true;
    return register;
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
    return { ...FIRST_STATE, partition: this.#partitionOf(topic), update: { topic, version: 0 } };
  }
}
