import { setImmediate } from 'node:timers/promises';
import type { Clock, Timer } from '../../services/shared/clock.ts';
import { EventQueue } from './event-queue.ts';

/**
 * Time that passes only when it is told to, in whole milliseconds. What is due at the same millisecond is one
 * turn of the event loop: first everything that was scheduled for it, in that order, then the ends of the turn.
 * Promises settle between any two of them, so a run is always the same.
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

  /** Whether what runs now was kept for the end of its turn. */
  get isTurnEnd(): boolean {
    return this.#isTurnEnd;
  }

  /** Calls back once, so many milliseconds from now; in this turn where it is 0. */
  after(delayMs: number, callback: () => void): Timer {
    const event = this.#queue.add(this.#nowMs + Math.max(0, Math.ceil(delayMs)), callback);
    return {
      cancel() {
        event.callback = undefined;
      },
    };
  }

  /** Calls back when nothing else is due at this millisecond. */
  atTurnEnd(callback: () => void): void {
    this.#turnEnds.push(callback);
  }

  /** A clock that shows this time. */
  clock(random: () => number = () => 0.5): Clock {
    return {
      nowMs: () => this.#nowMs,
      monotonicMs: () => this.#nowMs,
      after: (delayMs, callback) => this.after(delayMs, callback),
      atTurnEnd: (callback) => this.atTurnEnd(callback),
      random,
    };
  }

  /** Lets so much time pass, with all that is due meanwhile, to its end inclusive. */
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
