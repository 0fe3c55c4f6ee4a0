import type { LoadtestOptions } from '../options/options.ts';
import { isLoopback } from '../wire/target.ts';
import type { Machine } from './machine.ts';
import { makePlan, type Plan, type PlanRequest } from './plan.ts';

const CLIENTS_PER_CORE = 1000;

/** Plans what the options ask for; where that does not fit, less where that is allowed, else a refusal says why. */
export function fitPlan(
  options: LoadtestOptions,
  machine: Machine,
  { hasRedis }: { hasRedis: boolean },
): { plan: Plan; refusal: string | undefined } {
  const relays = options.cluster?.relays ?? [];
  const request: PlanRequest = {
    clients: options.clients ?? CLIENTS_PER_CORE * machine.cpus,
    processes: options.processes,
    targets: new Set(relays.map(({ host, port }) => `${host} ${port}`)).size,
    isLoopback: relays.length > 0 && relays.every(isLoopback),
    relays: options.relays,
    maxRelays: hasRedis ? Number.POSITIVE_INFINITY : 1,
    churnPerSecond: options.churnPerSecond,
    keepFreeBytes: options.keepFreeBytes,
  };
  let plan = makePlan(request, machine);
  // Fewer clients need fewer processes, which leaves room for more clients: a few rounds settle that.
  for (let round = 0; options.mayShrink && round < 5 && !fits(plan); round += 1) {
    plan = makePlan({ ...request, clients: Math.max(1, plan.limits[0]?.clients ?? 1) }, machine);
  }
  if (fits(plan)) return { plan, refusal: undefined };
  const [limit] = plan.limits;
  return {
    plan,
    refusal: `${plan.clients} clients do not fit: give --clients ${Math.max(0, limit?.clients ?? 0)} or fewer, or --fit for as many as do`,
  };
}

function fits(plan: Plan): boolean {
  return plan.limits.every(({ clients }) => clients >= plan.clients);
}
