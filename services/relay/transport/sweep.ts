import type { Clock, Timer } from '../../shared/clock.ts';

/** Times of a client without a sign of life, in milliseconds. */
export interface SweepLimits {
  /** A client that has read nothing for this time is disconnected. */
  readonly stuckMs: number;
  /** A client that has sent something within this time needs no ping. */
  readonly heardMs: number;
}

/** A connection that needs periodic checks. */
export interface Sweepable {
  /** Pings the client, or closes the connection. Returns false if it closed. */
  sweep(nowMs: number, limits: SweepLimits): boolean;
}

/** The longest silence on a connection whose client answers: some proxies close connections after a minute. */
const MAX_SILENCE_MS = 55_000;
/** The share of the interval in which a client is heard without a ping. Less than 1: the pong to the previous ping does not count. */
const HEARD_SHARE = 0.8;

const TICK_MS = 1000;
/** A process whose tick comes later than this stood still. */
const STOOD_STILL_MS = 5000;

/**
 * Checks every connection once per interval, a fraction of them each second, so that many connections make no burst of
 * pings. The pings keep NAT tables and proxies from dropping idle connections.
 */
export class Sweep {
  readonly #clock: Clock;
  readonly #connections: ReadonlySet<Sweepable>;
  readonly #intervalMs: number;
  readonly #stuckMs: number;
  readonly #heardMs: number;
  readonly #stuck: () => void;
  #rest: Iterator<Sweepable> | undefined;
  #nextRoundAtMs = 0;
  #nextTickAtMs = Number.POSITIVE_INFINITY;
  /** No connection is closed before this time: after a stand-still, messages of clients are still to be read. */
  #graceUntilMs = 0;
  #timer: Timer | undefined;

  /** @param deps.stuck called for each connection that the sweep has closed */
  constructor(deps: {
    clock: Clock;
    connections: ReadonlySet<Sweepable>;
    intervalMs: number;
    stuckMs: number;
    stuck: () => void;
  }) {
    this.#clock = deps.clock;
    this.#connections = deps.connections;
    this.#intervalMs = deps.intervalMs;
    this.#stuckMs = deps.stuckMs;
    this.#heardMs = Math.max(0, Math.min(HEARD_SHARE * deps.intervalMs, MAX_SILENCE_MS - deps.intervalMs));
    this.#stuck = deps.stuck;
  }

  start(): void {
    this.#nextTickAtMs = this.#clock.monotonicMs() + TICK_MS;
    this.#timer = this.#clock.after(TICK_MS, () => {
      this.#tick();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#nextTickAtMs > STOOD_STILL_MS) this.#graceUntilMs = nowMs + this.#stuckMs;
    const stuckMs = nowMs < this.#graceUntilMs ? Number.POSITIVE_INFINITY : this.#stuckMs;
    const limits = { stuckMs, heardMs: this.#heardMs };
    let left = Math.ceil((this.#connections.size * TICK_MS) / this.#intervalMs);
    while (left > 0) {
      this.#rest ??= this.#beginRound(nowMs);
      if (!this.#rest) return;
      const next = this.#rest.next();
      if (next.done) {
        this.#rest = undefined;
        continue;
      }
      left -= 1;
      if (!next.value.sweep(nowMs, limits)) this.#stuck();
    }
  }

  /** Starts a round unless the interval of the last one is not over: a round over few connections takes less than that. */
  #beginRound(nowMs: number): Iterator<Sweepable> | undefined {
    if (nowMs < this.#nextRoundAtMs) return undefined;
    this.#nextRoundAtMs = nowMs + this.#intervalMs;
    return this.#connections[Symbol.iterator]();
  }
}
