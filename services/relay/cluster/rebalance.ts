import type { Clock, Timer } from '../../shared/clock.ts';
import { EXCHANGE_INTERVAL_MS } from './cluster-picture.ts';

/** A relay sheds when it holds more than so much above the mean, and until it is near it. */
const BEGIN_ABOVE = 1.1;
const END_ABOVE = 1.02;
/**
 * The others' numbers are as they were up to an interval ago, and an interval is somewhat longer or shorter each time.
 * So that growth, which all have, does not pass for a surplus, only what this relay held at so many pictures counts.
 */
const PICTURES = 3;
/** Differences of so few connections are none. */
const MIN_SURPLUS = 10;
const STEP_MS = 100;
/** Where shedding does not help, since whoever balances sends everybody back, it waits twice as long each time. */
const MAX_PAUSE_MS = 300_000;

/**
 * Sheds a relay's surplus slowly, so that relays which were started later fill: connections do not move by
 * themselves. Looks at the picture each time that it is new.
 */
export class Rebalance {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #shed: (count: number) => number;
  /** What this relay held at the last pictures, the newest first. */
  #held: readonly number[] = [];
  #timer: Timer | undefined;
  #left = 0;
  #before = 0;
  #shedding = false;
  #pauseMs = 0;
  #pausedUntilMs = 0;

  /** `shed` says goodbye to up to so many clients, and answers to how many. 0 a second switches it off. */
  constructor(deps: { perSecond: number; clock: Clock; shed: (count: number) => number }) {
    this.#perSecond = deps.perSecond;
    this.#clock = deps.clock;
    this.#shed = deps.shed;
  }

  /** There is a new picture of the cluster. */
  look(picture: { relays: number; own: number; connections: number }): void {
    const { relays, own, connections } = picture;
    if (this.#perSecond === 0) return;
    this.#judge(own);
    this.#held = [own, ...this.#held].slice(0, PICTURES);
    const held = Math.min(...this.#held);
    const mean = (connections - own + held) / relays;
    const limit = mean * (this.#shedding ? END_ABOVE : BEGIN_ABOVE);
    if (held <= limit || held - mean < MIN_SURPLUS || this.#clock.monotonicMs() < this.#pausedUntilMs) {
      this.#rest();
      return;
    }
    this.#shedding = true;
    this.#before = own;
    const perExchange = (this.#perSecond * EXCHANGE_INTERVAL_MS) / 1000;
    this.#left = Math.ceil(Math.min(held - mean, perExchange));
    this.#step();
  }

  stop(): void {
    this.#rest();
  }

  /** Did those who were sent away stay away? */
  #judge(own: number): void {
    if (!this.#shedding || this.#before === 0) return;
    if (own < this.#before) this.#pauseMs = 0;
    else {
      this.#pauseMs = Math.min(Math.max(EXCHANGE_INTERVAL_MS, this.#pauseMs * 2), MAX_PAUSE_MS);
      this.#pausedUntilMs = this.#clock.monotonicMs() + this.#pauseMs;
    }
    this.#before = 0;
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#left = 0;
    this.#shedding = false;
    this.#before = 0;
  }

  /** Evenly over the time until the next picture. */
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
