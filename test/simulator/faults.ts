import type { Fault } from './fault.ts';
import type { Simulation } from './simulation.ts';
import { calmWeather } from './weather.ts';

/** Chooses what happens next, and ends what lasts. */
export class Faults {
  readonly #simulation: Simulation;
  readonly #faults: readonly Fault[];
  readonly #weights: number;
  readonly #ongoing = new Set<() => void>();

  constructor(deps: { simulation: Simulation; faults: readonly Fault[] }) {
    this.#simulation = deps.simulation;
    this.#faults = deps.faults;
    this.#weights = deps.faults.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Lets something happen. */
  step(): void {
    const { random, time, trace } = this.#simulation;
    const fault = this.#choose();
    const begun = fault.begin(this.#simulation);
    if (!begun) return;
    trace.note(`${fault.name}: ${begun.what}`);
    this.#disturb(fault);
    if (!begun.end) return;
    const end = () => {
      if (!this.#ongoing.delete(end)) return;
      trace.note(`ends: ${fault.name}: ${begun.what}`);
      begun.end?.();
      this.#disturb(fault);
    };
    this.#ongoing.add(end);
    time.after(random.between(0, fault.maxMs), end);
  }

  /** Ends everything that lasts. */
  endAll(): void {
    const { cluster } = this.#simulation;
    for (const end of this.#ongoing) end();
    for (const shard of cluster.shards) shard.healSplit();
    Object.assign(cluster.weather, calmWeather());
  }

  #disturb({ disturbsRedis }: Fault): void {
    if (disturbsRedis) this.#simulation.disturbedAtMs = this.#simulation.time.nowMs;
  }

  #choose(): Fault {
    let left = this.#simulation.random.between(0, this.#weights);
    for (const fault of this.#faults) {
      left -= fault.weight;
      if (left <= 0) return fault;
    }
    return this.#faults[0] as Fault;
  }
}
