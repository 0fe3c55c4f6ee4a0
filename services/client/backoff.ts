import { RETRY_CAP_MS, RETRY_MS } from './timings.ts';

/** How long to wait before the next try, in milliseconds. */
export interface BackoffOptions {
  /** The most to wait before the first retry; doubled for each further one. */
  readonly firstMs?: number;
  readonly capMs?: number;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  readonly random?: () => number;
}

/**
 * Growing delays with full jitter: each is chosen uniformly from 0 to a bound that doubles up to a cap, so
 * that clients which lost the same relay at once do not come back at once.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #tries = 0;

  constructor(options: BackoffOptions = {}) {
    this.#options = options;
  }

  /** The next delay; from now on at least as if there had been this many tries before. */
  nextMs(atLeastTries = 0): number {
    const { firstMs = RETRY_MS, capMs = RETRY_CAP_MS, random = Math.random } = this.#options;
    const tries = Math.max(this.#tries, atLeastTries);
    this.#tries = tries + 1;
    return random() * Math.min(capMs, firstMs * 2 ** tries);
  }

  reset(): void {
    this.#tries = 0;
  }
}
