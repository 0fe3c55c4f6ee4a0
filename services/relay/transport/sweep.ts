import type { Clock, Timer } from '../../shared/clock.ts';

/** A connection that is looked at from time to time. */
export interface Sweepable {
  /** Pings, and closes where nothing was taken for too long; false where it closed. */
  sweep(nowMs: number, stuckMs: number): boolean;
}

const TICK_MS = 1000;

/**
 * Looks at every connection once an interval, a part of them each second, so that many connections make no
 * burst. The pings keep NAT tables and proxies from forgetting the line.
 */
export class Sweep {
  readonly #clock: Clock;
  readonly #connections: Iterable<Sweepable>;
  readonly #size: () => number;
  readonly #intervalMs: number;
  readonly #stuckMs: number;
  readonly #stuck: () => void;
  #rest: Iterator<Sweepable> | undefined;
  #nextRoundAtMs = 0;
  #timer: Timer | undefined;

  constructor(deps: {
    clock: Clock;
    connections: Iterable<Sweepable>;
    size: () => number;
    intervalMs: number;
    stuckMs: number;
    stuck: () => void;
  }) {
    this.#clock = deps.clock;
    this.#connections = deps.connections;
    this.#size = deps.size;
    this.#intervalMs = deps.intervalMs;
    this.#stuckMs = deps.stuckMs;
    this.#stuck = deps.stuck;
  }

  start(): void {
    this.#timer = this.#clock.after(TICK_MS, () => {
      this.#tick();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    let left = Math.ceil((this.#size() * TICK_MS) / this.#intervalMs);
    while (left > 0) {
      this.#rest ??= this.#beginRound(nowMs);
      if (!this.#rest) return;
      const next = this.#rest.next();
      if (next.done) {
        this.#rest = undefined;
        continue;
      }
      left -= 1;
      if (!next.value.sweep(nowMs, this.#stuckMs)) this.#stuck();
    }
  }

  /** A few connections are done with long before the interval is over: they are not looked at again until then. */
  #beginRound(nowMs: number): Iterator<Sweepable> | undefined {
    if (nowMs < this.#nextRoundAtMs) return undefined;
    this.#nextRoundAtMs = nowMs + this.#intervalMs;
    return this.#connections[Symbol.iterator]();
  }
}
