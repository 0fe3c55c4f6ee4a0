/** The time and the randomness of a process. Tests and the simulator pass their own. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. It may step when the clock is set, so do not measure durations with it. */
  nowMs(): number;
  /** Monotonic clock in milliseconds since an arbitrary moment, for durations. */
  monotonicMs(): number;
  /** Calls `callback` once, after `delayMs` milliseconds. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
  /** Calls `callback` at the end of this turn of the event loop, after all input that has arrived in it. */
  atTurnEnd(callback: () => void): void;
  /** Returns a random number from 0 (inclusive) to 1 (exclusive), for jitter. */
  random(): number;
}

/** A pending callback. */
export interface Timer {
  /** Prevents the callback; harmless after it. */
  cancel(): void;
}

/** The clock of the operating system. */
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
