import type { Fault } from './fault.ts';
import { goodConditions } from './network-conditions.ts';
import type { Simulation } from './simulation.ts';

/** Injects random faults, and ends those that have a duration. */
export class FaultInjector {
  readonly #simulation: Simulation;
  readonly #faults: readonly Fault[];
  readonly #weights: number;
  readonly #ongoing = new Set<() => void>();

  constructor(deps: { simulation: Simulation; faults: readonly Fault[] }) {
    this.#simulation = deps.simulation;
    this.#faults = deps.faults;
    this.#weights = deps.faults.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Injects one fault, if the chosen one is possible. */
  step(): void {
    const { random, time, trace } = this.#simulation;
    const fault = this.#choose();
    const started = fault.begin(this.#simulation);
    if (!started) return;
    trace.log(`${fault.name}: ${started.what}`);
    this.#recordRedisFault(fault);
    if (!started.end) return;
    const end = () => {
      if (!this.#ongoing.delete(end)) return;
      trace.log(`end of ${fault.name}: ${started.what}`);
      started.end?.();
      this.#recordRedisFault(fault);
    };
    this.#ongoing.add(end);
    time.after(random.between(0, fault.maxMs), end);
  }

  /** Ends all ongoing faults. */
  endAll(): void {
    const { cluster } = this.#simulation;
    for (const end of this.#ongoing) end();
    for (const shard of cluster.shards) shard.healSplit();
    Object.assign(cluster.network, goodConditions());
  }

  #recordRedisFault({ affectsRedis }: Fault): void {
    if (affectsRedis) this.#simulation.redisFaultAtMs = this.#simulation.time.nowMs;
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
