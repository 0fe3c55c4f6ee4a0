/** A deterministic random number generator (mulberry32). */
export class SeededRandom {
  readonly #seed: number;
  #state: number;

  /** @param seed an integer; its lowest 32 bits count */
  constructor(seed: number) {
    this.#seed = seed;
    this.#state = Math.imul(seed, 0x9e3779b1) >>> 0;
  }

  /** Returns a generator that depends on the seed and the label alone: what others draw does not change it. */
  fork(label: string | number): SeededRandom {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (const character of String(label)) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    return new SeededRandom(hash);
  }

  /** Returns a number from 0 (inclusive) to 1 (exclusive). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  between(min: number, max: number): number {
    return min + (max - min) * this.next();
  }

  /** Returns an integer from `min` to `max`, both inclusive. */
  integer(min: number, max: number): number {
    return Math.floor(this.between(min, max + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Returns a random item of a list. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('cannot pick from an empty list');
    return list[this.integer(0, list.length - 1)] as T;
  }

  /** Returns each item with this probability, but at least one. */
  some<T>(list: readonly T[], probability: number): T[] {
    const chosen = list.filter(() => this.chance(probability));
    return chosen.length > 0 ? chosen : [this.pick(list)];
  }

  /** Returns an id of 8 hexadecimal digits. */
  id(): string {
    return this.integer(0, 2 ** 32 - 1)
      .toString(16)
      .padStart(8, '0');
  }
}
