/**
 * Limits a rate. Work is admitted while at least one token is left, and may take more than there are: a debt that is
 * paid before the next work is admitted. So everything that is valid fits once, however much it takes.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #nowMs: () => number;
  #tokens: number;
  #filledAtMs: number;

  /**
   * @param deps.burst tokens of a full bucket; by default those of one second, and at least 1
   * @param deps.nowMs returns the time by the monotonic clock
   */
  constructor(deps: { perSecond: number; burst?: number; nowMs: () => number }) {
    this.#perSecond = deps.perSecond;
    this.#burst = Math.max(1, deps.burst ?? deps.perSecond);
    this.#nowMs = deps.nowMs;
    this.#tokens = this.#burst;
    this.#filledAtMs = deps.nowMs();
  }

  /** Whether no work is admitted now. */
  get isEmpty(): boolean {
    this.#fill();
    return this.#tokens < 1;
  }

  /** Time until work is admitted again, in milliseconds; 0 if it is. */
  get waitMs(): number {
    this.#fill();
    return Math.max(0, ((1 - this.#tokens) * 1000) / this.#perSecond);
  }

  /** Takes tokens for work that was admitted. */
  take(tokens: number): void {
    this.#fill();
    this.#tokens -= tokens;
  }

  #fill(): void {
    const nowMs = this.#nowMs();
    const filled = this.#tokens + (Math.max(0, nowMs - this.#filledAtMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, filled);
    this.#filledAtMs = nowMs;
  }
}
