import type { Published, Witness } from '../shared/broker/broker.ts';
import type { Version } from '../shared/update/update.ts';

/** What goes along with one call. */
export interface Carried {
  readonly witness: Witness;
  /** The promises that the witness speaks of: the newest under each history. */
  readonly promises: ReadonlyMap<string, number>;
}

/**
 * What a process was promised in one partition and has passed on: by a history that may not be the broker's any
 * more. Calls may be under way together and their answers overtake each other.
 */
export class PartitionPromises {
  #history = '';
  #version: Version = 0;
  #count = 0;
  /** The number of the newest promise under each history that was not shown to a broker with another one. */
  readonly #newest = new Map<string, number>();

  /** What to show the broker with the next call. */
  carry(): Carried {
    const promises = new Map(this.#newest);
    const version = this.#version;
    if (promises.size === 0) return { witness: { epoch: this.#history, version }, promises };
    // Under several histories: whichever the broker has, the promises under the others are to be dealt with.
    return { witness: { epoch: [...promises.keys()].join(' '), version, acknowledged: true }, promises };
  }

  /**
   * Takes in the answer to a call, and whether it is passed on as a promise. It settles the promises under other
   * histories that the call carried along, and none that was made meanwhile.
   */
  answered({ promises }: Carried, answer: Published, isPromise: boolean): void {
    for (const [history, count] of promises) {
      if (history !== answer.epoch && this.#newest.get(history) === count) this.#newest.delete(history);
    }
    this.#history = answer.epoch;
    this.#version = Math.max(this.#version, answer.version);
    if (!isPromise) return;
    this.#count += 1;
    this.#newest.set(answer.epoch, this.#count);
  }
}
