import { setImmediate } from 'node:timers/promises';
import type { Clock, Timer } from '../../services/shared/clock.ts';
import { EventQueue } from './event-queue.ts';

/**
 * Virtual time in whole milliseconds that advances only in `runFor`. All callbacks of one millisecond form one turn of the
 * event loop: first the timers, in the order of scheduling, then the ends of the turn. Promises settle after each callback,
 * so runs are deterministic.
 */
export class VirtualTime {
  readonly #queue = new EventQueue();
  #nowMs: number;
  #turnEnds: (() => void)[] = [];
  #isTurnEnd = false;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** True while callbacks of `atTurnEnd` run. */
  get isTurnEnd(): boolean {
    return this.#isTurnEnd;
  }

  /** Calls `callback` once after `delayMs` milliseconds; in this turn if that is 0. */
  after(delayMs: number, callback: () => void): Timer {
    const event = this.#queue.add(this.#nowMs + Math.max(0, Math.ceil(delayMs)), callback);
    return {
      cancel() {
        event.callback = undefined;
      },
    };
  }

  /** Calls `callback` once no timer is due at this millisecond. */
  atTurnEnd(callback: () => void): void {
    this.#turnEnds.push(callback);
  }

  /** Returns a clock of this time. */
  clock(random: () => number = () => 0.5): Clock {
    return {
      nowMs: () => this.#nowMs,
      monotonicMs: () => this.#nowMs,
      after: (delayMs, callback) => this.after(delayMs, callback),
      atTurnEnd: (callback) => this.atTurnEnd(callback),
      random,
    };
  }

  /** Advances time by `durationMs`, and runs everything that is due until then, inclusive. */
  async runFor(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + Math.ceil(durationMs);
    await setImmediate();
    for (;;) {
      const callback = this.#queue.takeDue(this.#nowMs);
      if (callback) {
        callback();
        await setImmediate();
      } else if (this.#turnEnds.length > 0) {
        const turnEnds = this.#turnEnds;
        this.#turnEnds = [];
        this.#isTurnEnd = true;
        for (const turnEnd of turnEnds) {
          turnEnd();
          await setImmediate();
        }
        this.#isTurnEnd = false;
      } else {
        const nextMs = this.#queue.nextAtMs;
        if (nextMs > endMs) break;
        this.#nowMs = nextMs;
      }
    }
    this.#nowMs = endMs;
  }
}
