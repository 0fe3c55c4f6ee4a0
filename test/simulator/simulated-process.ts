import type { Clock } from '../../services/shared/clock.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A process: has a clock that may be wrong, and stops all timers when it is killed. */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  /** The offset of its clock, in milliseconds. */
  clockOffsetMs = 0;
  #alive = true;

  constructor(deps: { name: string; time: VirtualTime; random: SeededRandom }) {
    const { name, time, random } = deps;
    this.name = name;
    const whileAlive = (callback: () => void) => () => {
      if (this.#alive) callback();
    };
    const startedAtMs = time.nowMs;
    this.clock = {
      nowMs: () => time.nowMs + this.clockOffsetMs,
      monotonicMs: () => time.nowMs - startedAtMs,
      after: (delayMs, callback) => time.after(delayMs, whileAlive(callback)),
      atTurnEnd: (callback) => time.atTurnEnd(whileAlive(callback)),
      random: () => random.next(),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  kill(): void {
    this.#alive = false;
  }
}
