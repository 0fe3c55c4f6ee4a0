import type { Clock, Timer } from '../../shared/clock.ts';
import type { ClusterView } from './relay-registry-view.ts';

/** A relay refuses new clients if it is above the mean by more than this part of the mean ... */
const REFUSE_ABOVE = 0.1;
/** ..., while relays come and go by more than this part, ... */
const REFUSE_ABOVE_IN_CHANGES = 0.05;
/** ... and the cluster sheds if a relay differs from the mean by more than this part of it, in both cases at least ... */
const SHED_BEYOND = 0.125;
/** ... this many connections. */
const MIN_DIFFERENCE = 10;
/** While the cluster sheds, relays above this part of the mean refuse new clients: they should reach the emptier ones. */
const FILLED = 0.95;
/**
 * Number of exchanges whose minimum counts as this relay's load. The loads of other relays are up to one jittered interval
 * old, so while all relays grow, the current load would look like a surplus.
 */
const EXCHANGES = 3;
/** A relay refuses no clients by a view that is older than this number of intervals: the broker is unavailable. */
const MAX_VIEW_AGE_INTERVALS = 3;
const STEP_MS = 100;
/** Connections that a relay closes before it has seen whether that fills emptier relays. */
const PROBE = 10;
/**
 * A relay stops shedding if less than this part of the closed connections has filled relays below the mean: at first, so that
 * a load balancer that picks at random fails, and later, when relays near the mean are filled beyond it too.
 */
const MIN_EFFECT_OF_PROBE = 0.5;
const MIN_EFFECT = 0.4;
/** It tries again after this time, which doubles each time that shedding has no effect. */
const PAUSE_MS = 60_000;
const MAX_PAUSE_MS = 3_600_000;

/** The state of the cluster when this relay began to shed. */
interface Episode {
  readonly mean: number;
  /** Connections that relays below the mean had less than it. */
  readonly missing: number;
  readonly shed: number;
  /** Exchanges until the first judgement: the connections that relays have closed to begin with need this time to come back. */
  exchangesLeft: number;
  /** Whether the first connections that were closed have filled emptier relays. */
  isProven: boolean;
}

/**
 * Keeps the connections of all relays near their mean, although open connections do not move by themselves. A relay above
 * the mean refuses new clients that connect again at once, as the load balancer may pick another relay then. If the
 * relays have not changed for minutes and are still uneven, it closes its surplus slowly, as long as that fills emptier relays.
 */
export class Rebalancer {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #closeSome: (count: number) => number;
  /** This relay's load at the last exchanges, newest first. */
  #loads: readonly number[] = [];
  /** Connections that the cluster had shed at the last two exchanges, newest first. */
  #sheds: readonly number[] = [];
  #shed = 0;
  #timer: Timer | undefined;
  #left = 0;
  #episode: Episode | undefined;
  #pauseMs = PAUSE_MS;
  #pausedUntilMs = 0;
  #isAbove = false;
  /** Until when the view counts, by the monotonic clock. */
  #viewEndsAtMs = 0;
  #isDraining = false;

  /**
   * @param deps.perSecond connections to close per second; 0 disables rebalancing
   * @param deps.shed closes at most `count` connections and returns the number closed
   */
  constructor(deps: { perSecond: number; clock: Clock; shed: (count: number) => number }) {
    this.#perSecond = deps.perSecond;
    this.#clock = deps.clock;
    this.#closeSome = deps.shed;
  }

  /** Connections closed to rebalance the cluster. */
  get shed(): number {
    return this.#shed;
  }

  /** Whether new clients that connect again at once should connect to another relay. */
  get isAboveShare(): boolean {
    if (this.#perSecond === 0) return false;
    const isViewFresh = this.#clock.monotonicMs() <= this.#viewEndsAtMs;
    return this.#isDraining || (this.#isAbove && isViewFresh);
  }

  /** Decides, until the next exchange, whether to shed and which new clients to refuse. Call it after each exchange. */
  evaluate(view: ClusterView): void {
    if (this.#perSecond === 0 || this.#isDraining) return;
    this.#viewEndsAtMs = this.#clock.monotonicMs() + MAX_VIEW_AGE_INTERVALS * view.intervalMs;
    this.#loads = [view.own, ...this.#loads].slice(0, EXCHANGES);
    this.#sheds = [view.shed, ...this.#sheds].slice(0, 2);
    const load = Math.min(...this.#loads);
    const loads = [load, ...view.others];
    const mean = loads.reduce((sum, each) => sum + each, 0) / loads.length;
    const tolerated = Math.max(mean * SHED_BEYOND, MIN_DIFFERENCE);
    if (!view.isSettled) [this.#pauseMs, this.#pausedUntilMs] = [PAUSE_MS, 0];
    const isUneven = Math.max(...loads) - mean >= tolerated || mean - Math.min(...loads) >= tolerated;
    const rebalances = view.isSettled && isUneven && this.#pays(loads);
    const refuseAbove = view.isSettled ? REFUSE_ABOVE : REFUSE_ABOVE_IN_CHANGES;
    this.#isAbove = rebalances ? load > mean * FILLED : load - mean >= Math.max(mean * refuseAbove, MIN_DIFFERENCE);
    if (rebalances) this.#begin(Math.floor(load - mean), view.intervalMs, { mean, missing: missingIn(loads, mean) });
    else this.#stop();
  }

  /** Sheds no more, and from now on asks all new clients that can to connect to another relay. */
  drain(): void {
    this.#isDraining = true;
    this.#stop();
  }

  /** Whether shedding is not paused. Pauses it if it has not filled the relays below the mean. */
  #pays(loads: readonly number[]): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#pausedUntilMs) return false;
    if (!this.#episode) return true;
    this.#episode.exchangesLeft -= 1;
    const landed = this.#landed(this.#episode);
    if (this.#episode.exchangesLeft > 0 || landed < PROBE) return true;
    const minEffect = this.#episode.isProven ? MIN_EFFECT : MIN_EFFECT_OF_PROBE;
    // By the mean at the start: clients that are not back yet would lower it.
    const filled = this.#episode.missing - missingIn(loads, this.#episode.mean);
    this.#episode.isProven = filled >= landed * minEffect;
    if (this.#episode.isProven) return true;
    this.#pausedUntilMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS);
    return false;
  }

  /** Returns the number of connections that the cluster has shed in this episode, without those that may not be back yet. */
  #landed(episode: Episode): number {
    return (this.#sheds.at(-1) ?? 0) - episode.shed;
  }

  #begin(surplus: number, intervalMs: number, start: { mean: number; missing: number }): void {
    this.#episode ??= { ...start, shed: this.#sheds[0] ?? 0, exchangesLeft: EXCHANGES, isProven: false };
    const perExchange = Math.ceil((this.#perSecond * intervalMs) / 1000);
    const probe = Math.max(0, PROBE - ((this.#sheds[0] ?? 0) - this.#episode.shed));
    this.#left = Math.min(surplus, this.#episode.isProven ? perExchange : probe);
    this.#step();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#left = 0;
    this.#episode = undefined;
  }

  /** Sheds evenly over the time until the next exchange. */
  #step(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#left <= 0) return;
    const perStep = Math.max(1, Math.ceil((this.#perSecond * STEP_MS) / 1000));
    const closed = this.#closeSome(Math.min(perStep, this.#left));
    this.#shed += closed;
    this.#left -= Math.max(1, closed);
    const waitMs = Math.max(STEP_MS, (perStep / this.#perSecond) * 1000);
    this.#timer = this.#clock.after(waitMs, () => this.#step());
  }
}

/** Returns the number of connections that relays below the mean have less than it. */
function missingIn(loads: readonly number[], mean: number): number {
  return loads.reduce((sum, load) => sum + Math.max(0, mean - load), 0);
}
