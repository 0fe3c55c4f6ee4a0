import { MAX_TOPICS_PER_MESSAGE } from '../../shared/protocol/client-message.ts';

/** What one client may do. */
export interface SessionLimits {
  /** Topics at a time. */
  readonly maxTopics: number;
  /** Topics of all clients of this relay together, and of those just gone: each holds memory here and a watch in Redis. */
  readonly maxRelayTopics: number;
  /** Messages a second in the long run; 0 for no limit. */
  readonly messagesPerSecond: number;
}

/** Messages that a client may send at once after a silence: at least these, and enough to subscribe to everything twice. */
const MIN_BURST = 256;

/** A token bucket, full at first. */
export class MessageBudget {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledAtMs = 0;

  constructor({ maxTopics, messagesPerSecond }: SessionLimits) {
    this.#perMs = messagesPerSecond / 1000;
    this.#burst = Math.max(MIN_BURST, 2 * Math.min(maxTopics, MAX_TOPICS_PER_MESSAGE));
    this.#tokens = this.#burst;
  }

  /** Takes what a message costs; false where there is too little left. */
  take(nowMs: number, cost: number): boolean {
    if (this.#perMs === 0) return true;
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }
}
