import type { Clock } from '../../services/shared/clock.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A process: has a clock that may be wrong, stops all timers when it is killed, and runs nothing while it stands still. */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  /** The offset of its clock, in milliseconds. */
  clockOffsetMs = 0;
  #alive = true;
  /** What is due while the process stands still, in order; undefined while it runs. */
  #due: (() => void)[] | undefined;
  readonly #time: VirtualTime;

  constructor(deps: { name: string; time: VirtualTime; random: SeededRandom }) {
    const { name, time, random } = deps;
    this.name = name;
    this.#time = time;
    const whileAlive = (callback: () => void) => () => {
      if (this.#due) this.#due.push(callback);
      else if (this.#alive) callback();
    };
    const startedAtMs = time.nowMs;
    this.clock = {
      nowMs: () => time.nowMs + this.clockOffsetMs,
      monotonicMs: () => time.nowMs - startedAtMs,
      after: (delayMs, callback) => {
        let isCancelled = false;
        const timer = time.after(
          delayMs,
          whileAlive(() => isCancelled || callback()),
        );
        return {
          cancel() {
            isCancelled = true; // also of a timer that is due while the process stands still
            timer.cancel();
          },
        };
      },
      atTurnEnd: (callback) => time.atTurnEnd(whileAlive(callback)),
      random: () => random.next(),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Whether the process is alive and does not stand still. */
  get runs(): boolean {
    return this.#alive && !this.#due;
  }

  kill(): void {
    this.#alive = false;
  }

  /** Stops the process as SIGSTOP does: connections stay open, and timers and messages wait until it resumes. */
  suspend(): void {
    this.#due ??= [];
  }

  /** Runs what was due meanwhile, in order, and continues. */
  resume(): void {
    const due = this.#due ?? [];
    this.#due = undefined;
    for (const callback of due) this.#time.after(0, () => this.#alive && callback());
  }
}
