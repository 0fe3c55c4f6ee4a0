import type { Clock } from '../../shared/clock.ts';
import { FRESH_INTERVALS } from './repair.ts';

const MIN_WINDOW_MS = 60_000;

/**
 * The time before a subscription in which a client that cannot name its version may have missed updates, because it was on
 * its way from another relay. Includes the time in which this relay was stale: the others may have been stale too.
 */
export class RecentPast {
  readonly #clock: Clock;
  /** Length of the window: the time within which a client has to reach another relay, in milliseconds. */
  readonly windowMs: number;
  #provenUntilMs = Number.POSITIVE_INFINITY;
  #freshSinceMs = Number.NEGATIVE_INFINITY;

  constructor(deps: { clock: Clock; repairIntervalMs: number }) {
    this.#clock = deps.clock;
    // A relay may be fresh for a third of it without a proof, and needs another third to close its legacy clients.
    this.windowMs = Math.max(MIN_WINDOW_MS, 3 * FRESH_INTERVALS * deps.repairIntervalMs);
  }

  /** @param provenUntilMs until when the relay is proven to have missed nothing */
  becameStale(provenUntilMs: number): void {
    // Stale again so soon that clients may still be on their way: one long time.
    if (this.#includesLast(this.#clock.monotonicMs())) return;
    this.#provenUntilMs = provenUntilMs;
  }

  becameFresh(): void {
    // Not at the start, when no client can have been here before.
    if (this.#provenUntilMs < Number.POSITIVE_INFINITY) this.#freshSinceMs = this.#clock.monotonicMs();
  }

  /** Returns when the window of a subscription begins. All times are milliseconds of the monotonic clock. */
  sinceMs(subscribedAtMs: number): number {
    const beforeMs = this.#includesLast(subscribedAtMs)
      ? Math.min(this.#provenUntilMs, subscribedAtMs)
      : subscribedAtMs;
    return beforeMs - this.windowMs;
  }

  #includesLast(atMs: number): boolean {
    return atMs - this.#freshSinceMs <= this.windowMs;
  }
}
