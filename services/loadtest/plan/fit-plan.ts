import type { LoadtestOptions } from '../options/options.ts';
import { isLoopback, type Target } from '../wire/target.ts';
import type { Machine } from './machine.ts';
import { LOOPBACK_ADDRESSES, makePlan, type Plan, type PlanRequest } from './plan.ts';

const CLIENTS_PER_CORE = 1000;
const KEEP_FREE_BYTES = 1024 ** 3;

type Requested = Pick<
  LoadtestOptions,
  'clients' | 'processes' | 'relays' | 'churnPerSecond' | 'keepFreeBytes' | 'mayShrink'
>;

/**
 * Plans the requested load test; `relays` are those of a running cluster. If not all clients fit, the plan has as many
 * as fit if the options allow that; otherwise `refusal` explains the limit.
 */
export function fitPlan(
  options: Requested,
  machine: Machine,
  { relays, hasRedis }: { relays: readonly Target[]; hasRedis: boolean },
): { plan: Plan; refusal: string | undefined } {
  const request: PlanRequest = {
    clients: options.clients ?? CLIENTS_PER_CORE * machine.cpus,
    processes: options.processes,
    targets: new Set(relays.map(({ host, port }) => `${host} ${port}`)).size,
    isLoopback: relays.length > 0 && relays.every(isLoopback),
    relays: options.relays,
    maxRelays: hasRedis ? Number.POSITIVE_INFINITY : 1,
    churnPerSecond: options.churnPerSecond,
    keepFreeBytes: options.keepFreeBytes ?? Math.min(KEEP_FREE_BYTES, machine.memoryBytes / 10),
    firstAddress: Math.floor(Math.random() * LOOPBACK_ADDRESSES),
  };
  const plan = makePlan(request, machine);
  if (fits(plan)) return { plan, refusal: undefined };
  const most = mostClients(request, machine);
  if (options.mayShrink && most > 0) {
    return {
      plan: { ...makePlan({ ...request, clients: most }, machine), requested: request.clients },
      refusal: undefined,
    };
  }
  const remedy = most > 0 ? `use --clients ${most} or fewer, or --fit to run as many as fit` : 'not even one does';
  return { plan, refusal: `${plan.clients} clients do not fit: ${remedy}` };
}

function fits(plan: Plan): boolean {
  return plan.limits.every(({ clients, beyond }) => clients >= plan.clients || beyond !== undefined);
}

/** Finds the largest number of clients that fits, by bisection: fewer clients need fewer processes. */
function mostClients(request: PlanRequest, machine: Machine): number {
  let [fitting, tooMany] = [0, request.clients];
  while (tooMany - fitting > 1) {
    const clients = Math.floor((fitting + tooMany) / 2);
    if (fits(makePlan({ ...request, clients }, machine))) fitting = clients;
    else tooMany = clients;
  }
  return fitting;
}
