import type { ClientPlan } from './client-plan.ts';
import type { Population } from './client-pool.ts';

const TICK_MS = 20;
/** So many handshakes at a time: more would only wait in the server's queue, and be timed there. */
const MAX_OPENING = 250;
const SECOND_MS = 1000;

type Paced = Pick<ClientPlan, 'count' | 'rampMs' | 'churnPerSecond' | 'slowShare' | 'slowPauseMs'>;
type Movable = Pick<Population, 'connect' | 'churn' | 'sweep' | 'isOpen' | 'isSlow' | 'connection' | 'opening'>;

/** Moves the clients of a process for as long as it lives: they come along the ramp, some go and come back, some read slowly. */
export class Pace {
  readonly #plan: Paced;
  readonly #population: Movable;
  readonly #startedMs = performance.now();
  #rampTimer: NodeJS.Timeout | undefined;
  #next = 0;
  #ramping = true;
  #churnDue = 0;
  #churned = 0;
  #reads = true;

  constructor(deps: { plan: Paced; population: Movable }) {
    this.#plan = deps.plan;
    this.#population = deps.population;
  }

  start(): void {
    this.#rampTimer = setInterval(() => this.#ramp(), TICK_MS);
    setInterval(() => this.#population.sweep(), SECOND_MS);
    if (this.#plan.slowShare > 0) this.#slow();
  }

  /** Begins to send clients away and back. */
  startChurn(): void {
    if (this.#plan.churnPerSecond > 0) setInterval(() => this.#churn(), SECOND_MS / 10);
  }

  /** Nobody new comes. */
  endRamp(): void {
    this.#ramping = false;
    clearInterval(this.#rampTimer);
  }

  /** Whether all have tried to connect that should. */
  get isRamped(): boolean {
    return !this.#ramping && this.#population.opening === 0;
  }

  #ramp(): void {
    const { count, rampMs } = this.#plan;
    const passed = rampMs === 0 ? 1 : Math.min(1, (performance.now() - this.#startedMs) / rampMs);
    while (this.#ramping && this.#next < count * passed && this.#population.opening < MAX_OPENING) {
      this.#population.connect(this.#next);
      this.#next += 1;
    }
    if (this.#next >= count) this.endRamp();
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
    setTimeout(() => this.#slow(), this.#reads ? SECOND_MS : this.#plan.slowPauseMs);
  }
}
