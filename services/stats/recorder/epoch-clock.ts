/** Largest difference between the time of day and this clock that is ignored. */
const DRIFT_MS = 2;
const CHECK_INTERVAL_MS = 1000;

/**
 * The time of day with microseconds, which `Date.now` does not have: spans of one request must not seem to overlap. It
 * is the monotonic clock plus an offset, which is corrected when it differs from the time of day.
 */
export class EpochClock {
  #offsetMs: number;
  #checkedAtMs: number;

  constructor() {
    this.#checkedAtMs = performance.now();
    this.#offsetMs = Date.now() - this.#checkedAtMs;
  }

  /** Returns milliseconds since 1970, with fractions. */
  nowMs(): number {
    return this.at(performance.now());
  }

  /** Converts a time of the monotonic clock (`performance.now`) to milliseconds since 1970. */
  at(monotonicMs: number): number {
    if (monotonicMs - this.#checkedAtMs > CHECK_INTERVAL_MS) {
      const now = performance.now();
      const offsetMs = Date.now() - now;
      if (Math.abs(offsetMs - this.#offsetMs) > DRIFT_MS) this.#offsetMs = offsetMs;
      this.#checkedAtMs = now;
    }
    return monotonicMs + this.#offsetMs;
  }
}
