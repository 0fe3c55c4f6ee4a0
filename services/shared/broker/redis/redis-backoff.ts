const MAX_DELAY_MS = 500;
/** A server may accept connections and close them at once, so only a link that lasted this long resets the delay. */
const PROVEN_AFTER_MS = 1000;

/** The delays before attempts to reconnect: exponential up to half a second, with jitter. */
export class RedisBackoff {
  readonly #monotonicMs: () => number;
  #attempts = 0;
  #upSinceMs = Number.POSITIVE_INFINITY;

  constructor(deps: { monotonicMs: () => number }) {
    this.#monotonicMs = deps.monotonicMs;
  }

  /** Notes that the link was established. */
  established(): void {
    this.#upSinceMs = this.#monotonicMs();
  }

  /** Returns the delay before the next attempt, in milliseconds. */
  nextDelayMs(): number {
    if (this.#monotonicMs() - this.#upSinceMs >= PROVEN_AFTER_MS) this.#attempts = 0;
    this.#upSinceMs = Number.POSITIVE_INFINITY;
    this.#attempts += 1;
    return Math.min(25 * 2 ** Math.min(this.#attempts, 10), MAX_DELAY_MS) * (0.5 + Math.random() / 2);
  }
}
