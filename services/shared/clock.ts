/** Time as the code sees it, so that tests and the simulator can hand in their own. */
export interface Clock {
  /** Milliseconds since 1970. May step, as clocks that are set do: not for durations. */
  nowMs(): number;
  /** Milliseconds since some moment, for durations: never steps. */
  monotonicMs(): number;
  /** Calls back once, after this many milliseconds. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls back at the end of this turn of the event loop, after all input that has arrived in it. */
  atTurnEnd(callback: () => void): void;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter. */
  random(): number;
}

/** Something that will call back. */
export interface Timer {
  cancel(): void;
}

/** The real time. */
export const SYSTEM_CLOCK: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timeout = setTimeout(callback, delayMs);
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
  atTurnEnd: (callback) => void setImmediate(callback),
  random: () => Math.random(),
};
