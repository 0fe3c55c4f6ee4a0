/**
 * Calls back once after a uniformly chosen part of a span, so that a million clients which are told at once
 * do not fetch at once. Further calls meanwhile are merged into the one that waits.
 */
export class Spread {
  readonly #callback: () => void;
  readonly #random: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(callback: () => void, random: () => number = Math.random) {
    this.#callback = callback;
    this.#random = random;
  }

  /** Calls back within this many milliseconds; at once where there is nothing to spread. */
  within(spreadMs = 0): void {
    if (this.#timer !== undefined) return;
    if (spreadMs <= 0) {
      this.#callback();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#callback();
    }, this.#random() * spreadMs);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
