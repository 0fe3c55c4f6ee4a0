import type { Clock, Timer } from '../../shared/clock.ts';
import { EXCHANGE_INTERVAL_MS } from './relay-registry-view.ts';

/** A relay starts to shed above this ratio of its connections to the mean, and stops below the second. */
const BEGIN_ABOVE = 1.1;
const END_ABOVE = 1.02;
/**
 * Number of exchanges whose minimum counts as this relay's load. The loads of other relays are up to one jittered interval
 * old, so while all relays grow, the current load would look like a surplus.
 */
const EXCHANGES = 3;
/** Smaller differences, in connections, are ignored. */
const MIN_SURPLUS = 10;
const STEP_MS = 100;
/** The pause doubles up to this each time that shedding has no effect: the load balancer sends the clients back. */
const MAX_PAUSE_MS = 300_000;

/**
 * Closes a relay's surplus of connections slowly, so that relays that were started later get their share: open
 * connections do not move by themselves.
 */
export class Rebalancer {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #shed: (count: number) => number;
  /** This relay's load at the last exchanges, newest first. */
  #loads: readonly number[] = [];
  #timer: Timer | undefined;
  #left = 0;
  #loadBefore = 0;
  #shedding = false;
  #pauseMs = 0;
  #pausedUntilMs = 0;

  /**
   * @param deps.perSecond connections to close per second; 0 disables rebalancing
   * @param deps.shed closes at most `count` connections and returns the number closed
   */
  constructor(deps: { perSecond: number; clock: Clock; shed: (count: number) => number }) {
    this.#perSecond = deps.perSecond;
    this.#clock = deps.clock;
    this.#shed = deps.shed;
  }

  /** Decides whether to shed until the next exchange. Call it after each one, with connections of this relay and of all. */
  evaluate(cluster: { relays: number; own: number; connections: number }): void {
    const { relays, own, connections } = cluster;
    if (this.#perSecond === 0) return;
    this.#checkEffect(own);
    this.#loads = [own, ...this.#loads].slice(0, EXCHANGES);
    const load = Math.min(...this.#loads);
    const mean = (connections - own + load) / relays;
    const limit = mean * (this.#shedding ? END_ABOVE : BEGIN_ABOVE);
    if (load <= limit || load - mean < MIN_SURPLUS || this.#clock.monotonicMs() < this.#pausedUntilMs) {
      this.stop();
      return;
    }
    this.#shedding = true;
    this.#loadBefore = own;
    const perExchange = (this.#perSecond * EXCHANGE_INTERVAL_MS) / 1000;
    this.#left = Math.ceil(Math.min(load - mean, perExchange));
    this.#step();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#left = 0;
    this.#shedding = false;
    this.#loadBefore = 0;
  }

  /** Pauses if the connections closed since the last exchange were replaced by as many new ones. */
  #checkEffect(own: number): void {
    if (!this.#shedding || this.#loadBefore === 0) return;
    if (own < this.#loadBefore) this.#pauseMs = 0;
    else {
      this.#pauseMs = Math.min(Math.max(EXCHANGE_INTERVAL_MS, this.#pauseMs * 2), MAX_PAUSE_MS);
      this.#pausedUntilMs = this.#clock.monotonicMs() + this.#pauseMs;
    }
    this.#loadBefore = 0;
  }

  /** Sheds evenly over the time until the next exchange. */
  #step(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#left <= 0) return;
    const perStep = Math.max(1, Math.ceil((this.#perSecond * STEP_MS) / 1000));
    this.#left -= Math.max(1, this.#shed(Math.min(perStep, this.#left)));
    const waitMs = Math.max(STEP_MS, (perStep / this.#perSecond) * 1000);
    this.#timer = this.#clock.after(waitMs, () => this.#step());
  }
}
