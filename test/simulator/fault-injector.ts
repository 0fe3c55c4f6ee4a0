import type { Fault } from './fault.ts';
import { goodConditions } from './network-conditions.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { Simulation } from './simulation.ts';

/** A fault that was injected. */
export interface InjectedFault {
  /** The step of the run, from 0. */
  readonly step: number;
  readonly description: string;
}

/** Injects random faults, and ends those that have a duration. */
export class FaultInjector {
  /** What was injected so far, in order. */
  readonly injected: InjectedFault[] = [];
  readonly #simulation: Simulation;
  readonly #faults: readonly Fault[];
  readonly #weights: number;
  readonly #ongoing = new Set<() => void>();

  constructor(deps: { simulation: Simulation; faults: readonly Fault[] }) {
    this.#simulation = deps.simulation;
    this.#faults = deps.faults;
    this.#weights = deps.faults.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Injects the fault of a step, if it is possible. */
  inject(step: number): void {
    const { time, trace } = this.#simulation;
    const random = this.#simulation.random.fork(step);
    const fault = this.#choose(random);
    const started = fault.begin(this.#simulation, random);
    if (!started) return;
    const description = `${fault.name}: ${started.what}`;
    trace.log(description);
    this.injected.push({ step, description: `${(time.nowMs / 1000).toFixed(3)} ${description}` });
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

  #choose(random: SeededRandom): Fault {
    let left = random.between(0, this.#weights);
    for (const fault of this.#faults) {
      left -= fault.weight;
      if (left <= 0) return fault;
    }
    return this.#faults[0] as Fault;
  }
}
