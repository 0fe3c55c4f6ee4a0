import type { Clock, Timer } from '../../shared/clock.ts';
import type { Session } from './session.ts';

/** The part of the hub that the handover uses. */
export interface HandoverHub {
  /** The time until which this relay is proven to have missed nothing, in milliseconds of the monotonic clock. */
  readonly provenUntilMs: number;
  /** Time within which another relay detects the missed updates of a client without a version. */
  readonly recentMs: number;
}

/**
 * Closes the legacy clients of a relay that stays stale: they cannot resume, so they have to reach another relay while that
 * one still detects what they missed. They leave in the second third of that time, each at a random moment.
 */
export class LegacyHandover {
  readonly #sessions: { readonly legacy: Iterable<Session> };
  readonly #hub: HandoverHub;
  readonly #clock: Clock;
  readonly #close: (session: Session) => void;
  #timers: Timer[] = [];

  constructor(deps: {
    sessions: { readonly legacy: Iterable<Session> };
    hub: HandoverHub;
    clock: Clock;
    close: (session: Session) => void;
  }) {
    this.#sessions = deps.sessions;
    this.#hub = deps.hub;
    this.#clock = deps.clock;
    this.#close = deps.close;
  }

  /** Schedules the closes when the relay becomes stale, and cancels the remaining ones when it is fresh again. */
  freshnessChanged(fresh: boolean): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    if (fresh) return;
    const { provenUntilMs, recentMs } = this.#hub;
    const nowMs = this.#clock.monotonicMs();
    const windowMs = recentMs / 3;
    const waitMs = Math.max(0, provenUntilMs + windowMs - nowMs);
    for (const session of this.#sessions.legacy) {
      const delayMs = waitMs + this.#clock.random() * windowMs;
      this.#timers.push(this.#clock.after(delayMs, () => this.#move(session, provenUntilMs + recentMs)));
    }
  }

  #move(session: Session, detectedUntilMs: number): void {
    // This process stood still, and other relays no longer detect it: the client refetches now.
    if (this.#clock.monotonicMs() + this.#hub.recentMs / 6 > detectedUntilMs) session.sendSince(0);
    this.#close(session);
  }
}
