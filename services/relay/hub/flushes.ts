import type { Clock } from '../../shared/clock.ts';

/**
 * A position in the sequence of everything that this relay has delivered: 1, 2, 3 and so on; 0 is before all. It orders
 * deliveries across topics, which versions do not. The unit is part of the type: a version is no flush position.
 */
export type FlushPosition = number & { readonly __unit?: 'flush position' };

/** An item that is delivered at the end of the turn in which it changes. */
export interface Flushable {
  /** Position of its last flush; 0 if it was never flushed. */
  flushed: FlushPosition;
  /** Whether it is flushed at the end of this turn. */
  dirty: boolean;
}

/**
 * Flushes each item that changes in a turn of the event loop once, at the end of the turn, and numbers the flushes.
 * Several changes of an item in one turn are conflated; an idle relay adds no delay.
 */
export class Flushes<T extends Flushable> {
  readonly #clock: Clock;
  readonly #flush: (item: T) => void;
  #dirty: T[] = [];
  #count = 0;
  #began = 1;
  #lastBegan = 1;

  constructor(deps: { clock: Clock; flush: (item: T) => void }) {
    this.#clock = deps.clock;
    this.#flush = deps.flush;
  }

  /** The first position that a client which falls behind now may miss. */
  get position(): FlushPosition {
    // uWebSockets.js may write a message, and drop it, in the turn after its publish.
    return this.#lastBegan;
  }

  /** The first position that what is touched now may get. */
  get upcoming(): FlushPosition {
    return this.#count + 1;
  }

  /** Flushes the item at the end of this turn. Returns false if that was due already. */
  touch(item: T): boolean {
    if (item.dirty) return false;
    item.dirty = true;
    this.#dirty.push(item);
    if (this.#dirty.length === 1) this.#clock.atTurnEnd(() => this.#flushAll());
    return true;
  }

  /** Takes the next position, for a message that is sent at once. */
  next(): FlushPosition {
    this.#count += 1;
    return this.#count;
  }

  #flushAll(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    this.#lastBegan = this.#began;
    this.#began = this.#count + 1;
    for (const item of dirty) {
      item.dirty = false;
      item.flushed = this.next();
    }
    for (const item of dirty) this.#flush(item);
  }
}
