/** How far the time of day may run away from the clock that never steps before it is taken over anew. */
const DRIFT_MS = 2;
const LOOK_INTERVAL_MS = 1000;

/**
 * The time of day to the microsecond: `Date.now` knows only milliseconds, and two spans of one request must not seem
 * to overlap for that. So it is the clock that never steps, set by the time of day whenever they disagree.
 */
export class EpochClock {
  #offsetMs: number;
  #lookedAtMs: number;

  constructor() {
    this.#lookedAtMs = performance.now();
    this.#offsetMs = Date.now() - this.#lookedAtMs;
  }

  /** Milliseconds since 1970, with fractions. */
  nowMs(): number {
    return this.at(performance.now());
  }

  /** The time of day at a moment of the clock that never steps. */
  at(monotonicMs: number): number {
    if (monotonicMs - this.#lookedAtMs > LOOK_INTERVAL_MS) {
      const now = performance.now();
      const offsetMs = Date.now() - now;
      if (Math.abs(offsetMs - this.#offsetMs) > DRIFT_MS) this.#offsetMs = offsetMs;
      this.#lookedAtMs = now;
    }
    return monotonicMs + this.#offsetMs;
  }
}
