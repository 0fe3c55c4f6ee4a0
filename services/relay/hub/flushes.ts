import type { Clock } from '../../shared/clock.ts';

/** Something that is told to clients at the end of the turn. */
export interface Flushable {
  /** The place of its last flush among all flushes; 0 where it was never flushed. */
  flushed: number;
  dirty: boolean;
}

/**
 * Numbers what is told to clients, in the order of telling: a client that fell behind is marked with a number,
 * and has missed only what was flushed from there on.
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

  /** What may have been lost for a client that falls behind now. */
  get mark(): number {
    // What is published in one turn may be written, and dropped, in the next.
    return this.#lastBegan;
  }

  /** Flushes the item at the end of this turn; false where that was to be already. */
  touch(item: T): boolean {
    if (item.dirty) return false;
    item.dirty = true;
    this.#dirty.push(item);
    if (this.#dirty.length === 1) this.#clock.atTurnEnd(() => this.#flushAll());
    return true;
  }

  /** Takes a number for something that is told at once. */
  next(): number {
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
