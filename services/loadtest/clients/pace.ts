import type { ClientPlan } from './client-plan.ts';
import type { Population } from './population.ts';

const TICK_MS = 20;
/** So many handshakes at a time: more would only wait in the server's queue, and be timed there. */
const MAX_OPENING = 250;
const SECOND_MS = 1000;

/** Moves the clients of a process: they come along the ramp, some go and come back, some read slowly. */
export class Pace {
  readonly #plan: ClientPlan;
  readonly #population: Population;
  readonly #startedMs = performance.now();
  #timers: NodeJS.Timeout[] = [];
  #next = 0;
  #ramping = true;
  #churnDue = 0;
  #churned = 0;
  #reads = true;

  constructor(deps: { plan: ClientPlan; population: Population }) {
    this.#plan = deps.plan;
    this.#population = deps.population;
  }

  start(): void {
    this.#timers.push(setInterval(() => this.#ramp(), TICK_MS));
    this.#timers.push(setInterval(() => this.#population.sweep(), SECOND_MS));
    if (this.#plan.slowShare > 0) this.#slow();
  }

  /** Begins to send clients away and back. */
  startChurn(): void {
    if (this.#plan.churnPerSecond > 0) this.#timers.push(setInterval(() => this.#churn(), SECOND_MS / 10));
  }

  /** Nobody new comes. */
  endRamp(): void {
    this.#ramping = false;
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
  }

  /** Whether all have tried to connect that should. */
  get isRamped(): boolean {
    return (!this.#ramping || this.#next >= this.#plan.count) && this.#population.opening === 0;
  }

  #ramp(): void {
    const { count, rampMs } = this.#plan;
    const passed = rampMs === 0 ? 1 : Math.min(1, (performance.now() - this.#startedMs) / rampMs);
    while (this.#ramping && this.#next < count * passed && this.#population.opening < MAX_OPENING) {
      this.#population.connect(this.#next);
      this.#next += 1;
    }
  }

  #churn(): void {
    const { count, churnPerSecond } = this.#plan;
    this.#churnDue += churnPerSecond / 10;
    for (let tries = count; this.#churnDue >= 1 && tries > 0; tries -= 1) {
      const client = this.#churned % count;
      this.#churned += 1;
      if (!this.#population.isOpen(client)) continue;
      this.#population.churn(client);
      this.#churnDue -= 1;
    }
  }

  /** Those that read slowly do so for a second in turn with the pause. */
  #slow(): void {
    this.#reads = !this.#reads;
    for (let client = 0; client < this.#plan.count; client += 1) {
      if (!this.#population.isSlow(client) || !this.#population.isOpen(client)) continue;
      const connection = this.#population.connection(client);
      if (this.#reads) connection?.resume();
      else connection?.pause();
    }
    this.#timers.push(setTimeout(() => this.#slow(), this.#reads ? SECOND_MS : this.#plan.slowPauseMs));
  }
}
