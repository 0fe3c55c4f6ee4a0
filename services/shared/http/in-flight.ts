/**
 * Requests, or parts of them, in flight, oldest first. Not a `Set`: V8 resizes the table of a small one every few requests,
 * and the former table keeps its entries in memory until a full garbage collection.
 */
export class InFlight<T> implements Iterable<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  get oldest(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
  }

  /** Returns whether it was in flight. */
  delete(item: T): boolean {
    const index = this.#items.indexOf(item);
    if (index >= 0) this.#items.splice(index, 1);
    return index >= 0;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }
}
