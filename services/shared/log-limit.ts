/** An event that may repeat is logged once in this time, with the number of its repetitions. */
const REPEAT_MS = 60_000;

/** Limits the log lines of events that may repeat, such as those that clients cause. */
export class LogLimit {
  readonly #nowMs: () => number;
  readonly #recent = new Map<string, { readonly untilMs: number; repeated: number }>();

  /** @param deps.nowMs returns the time by the monotonic clock */
  constructor(deps: { nowMs: () => number }) {
    this.#nowMs = deps.nowMs;
  }

  /**
   * Calls back with the number of events since the last call, unless that was for the same event and recently.
   *
   * @param event one of a bounded number of names
   */
  log(event: string, write: (times: number) => void): void {
    const nowMs = this.#nowMs();
    const recent = this.#recent.get(event);
    if (recent && nowMs < recent.untilMs) {
      recent.repeated += 1;
      return;
    }
    write((recent?.repeated ?? 0) + 1);
    this.#recent.set(event, { untilMs: nowMs + REPEAT_MS, repeated: 0 });
  }
}
