import { MAX_TOPICS_PER_MESSAGE } from '../../shared/protocol/client-message.ts';

/** Limits of one client. */
export interface SessionLimits {
  /** Topics that a client may be subscribed to at a time. */
  readonly maxTopics: number;
  /** Topics of all clients together, including those without a subscriber for a few seconds: each needs memory here and a watch in Redis. */
  readonly maxRelayTopics: number;
  /** Messages a second in the long run; 0 for no limit. */
  readonly messagesPerSecond: number;
}

/** A client may send at least this many messages at once, and enough to subscribe to everything twice. */
const MIN_BURST = 256;

/** Limits the messages of one client: a token bucket, full at first. */
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

  /**
   * Takes `cost` tokens. Returns false, and takes none, if too few are left.
   * @param nowMs by the monotonic clock
   */
  take(nowMs: number, cost: number): boolean {
    if (this.#perMs === 0) return true;
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }
}
