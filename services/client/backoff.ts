import { RETRY_CAP_MS, RETRY_MS } from './timings.ts';

/** Bounds of the delays, in milliseconds. */
export interface BackoffOptions {
  /** Upper bound of the first delay; doubles with each further one. Default: 1,000. */
  readonly firstMs?: number;
  /** Upper bound of every delay. Default: 30,000. */
  readonly capMs?: number;
  /** Returns a number from 0 (inclusive) to 1 (exclusive). Default: `Math.random`. */
  readonly random?: () => number;
}

/**
 * Exponential backoff with full jitter: each delay is uniformly random between 0 and a bound that doubles up to a cap,
 * so that clients which lost the same relay at once do not reconnect at once.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  /** The number of delays since the start. */
  tries = 0;

  constructor(options: BackoffOptions = {}) {
    this.#options = options;
  }

  /**
   * Returns the next delay in milliseconds.
   *
   * @param atLeastTries counts this many earlier tries, if there were fewer
   */
  nextMs(atLeastTries = 0): number {
    const { firstMs = RETRY_MS, capMs = RETRY_CAP_MS, random = Math.random } = this.#options;
    const tries = Math.max(this.tries, atLeastTries);
    this.tries = tries + 1;
    return random() * Math.min(capMs, firstMs * 2 ** tries);
  }

  /** Starts again with the first delay. */
  reset(): void {
    this.tries = 0;
  }
}
