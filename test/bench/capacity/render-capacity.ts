import { renderTable } from '../render-report.ts';
import { type Capacity, computeCapacity, type Load, type UnitCosts } from './capacity.ts';

const MIB = 1024 ** 2;
const RELAYS = [1, 10, 100, 1000];
const UPDATES = [100, 1000, 10_000, 100_000];

/** Renders what a load needs, the same for other numbers of relays and updates, and the unit costs. */
export function renderCapacity(load: Load, costs: UnitCosts): string {
  const rows = [load, ...RELAYS.flatMap((relays) => UPDATES.map((updates) => ({ ...load, relays, updates })))];
  const columns = [
    'relays',
    'updates/s',
    'Redis, cores',
    'Redis, MiB',
    'webhooks, cores',
    'a relay, cores',
    'a relay, MiB',
  ];
  const unitRows = Object.entries(costs).map(([name, value]) => [name, value.toFixed(1)]);
  return [
    `${load.clients} clients of ${load.topics} topics, spread evenly; data of 100 B. A core is one of this machine.`,
    renderTable(
      columns,
      rows.map((each) => rowOf(each, computeCapacity(each, costs))),
    ),
    renderTable(['unit cost (µs, bytes)', 'measured'], unitRows),
  ].join('\n\n');
}

function rowOf({ relays, updates }: Load, capacity: Capacity): string[] {
  const { redisCores, redisBytes, webhookCores, coresPerRelay, bytesPerRelay } = capacity;
  const cores = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0));
  const mib = (bytes: number) => (bytes / MIB).toFixed(0);
  return [
    String(relays),
    String(updates),
    cores(redisCores),
    mib(redisBytes),
    cores(webhookCores),
    cores(coresPerRelay),
    mib(bytesPerRelay),
  ];
}
