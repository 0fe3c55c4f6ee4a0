import type { LoadtestOptions } from '../options/options.ts';
import { isLoopback, type Target } from '../wire/target.ts';
import type { Machine } from './machine.ts';
import { LOOPBACK_ADDRESSES, makePlan, type Plan, type PlanRequest } from './plan.ts';

const CLIENTS_PER_CORE = 1000;
const KEEP_FREE_BYTES = 1024 ** 3;

type Asked = Pick<
  LoadtestOptions,
  'clients' | 'processes' | 'relays' | 'churnPerSecond' | 'keepFreeBytes' | 'mayShrink'
>;

/**
 * Plans what the options ask for; `relays` are those that are there already. Where that does not fit, as much as does
 * where that is allowed, else a refusal says why.
 */
export function fitPlan(
  options: Asked,
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
      plan: { ...makePlan({ ...request, clients: most }, machine), asked: request.clients },
      refusal: undefined,
    };
  }
  const way = most > 0 ? `give --clients ${most} or fewer, or --fit for as many as do` : 'not a single one does';
  return { plan, refusal: `${plan.clients} clients do not fit: ${way}` };
}

function fits(plan: Plan): boolean {
  return plan.limits.every(({ clients, beyond }) => clients >= plan.clients || beyond !== undefined);
}

/** How many clients fit. Fewer need fewer processes, which leaves room for more: found by halving. */
function mostClients(request: PlanRequest, machine: Machine): number {
  let [some, many] = [0, request.clients]; // so many fit, so many do not
  while (many - some > 1) {
    const clients = Math.floor((some + many) / 2);
    if (fits(makePlan({ ...request, clients }, machine))) some = clients;
    else many = clients;
  }
  return some;
}
