/** What one client may do. */
export interface SessionLimits {
  /** Topics at a time. */
  readonly maxTopics: number;
  /** Messages a second in the long run; 0 for no limit. */
  readonly messagesPerSecond: number;
}

/** Messages that a client may send at once after a silence: enough to subscribe to everything twice. */
const BURST = 256;

/** A token bucket, full at first. */
export class MessageBudget {
  readonly #perMs: number;
  #tokens = BURST;
  #filledAtMs = 0;

  constructor(messagesPerSecond: number) {
    this.#perMs = messagesPerSecond / 1000;
  }

  /** Takes what a message costs; false where there is too little left. */
  take(nowMs: number, cost: number): boolean {
    if (this.#perMs === 0) return true;
    this.#tokens = Math.min(BURST, this.#tokens + Math.max(0, nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }
}
