import type { Plan } from './plan.ts';

const number = (value: number): string => value.toLocaleString('en-US');
const count = (value: number, one: string, many: string): string => `${number(value)} ${value === 1 ? one : many}`;

/** Describes a plan and its limits, one statement per line. */
export function planText(plan: Plan): string {
  const { clients, requested, processes, relays, limits, sourceAddresses } = plan;
  const most = processes[0] ?? 0;
  const addresses = sourceAddresses.flat();
  const each = processes.length === 1 ? '' : ` of ${number(most)}`;
  const lines = [`${count(clients, 'client', 'clients')} in ${count(processes.length, 'process', 'processes')}${each}`];
  if (clients < requested) lines.push(`fewer than the ${number(requested)} requested: as many as fit`);
  if (addresses.length > 0) {
    lines.push(`source addresses: ${addresses.length === 1 ? addresses[0] : `${addresses[0]} to ${addresses.at(-1)}`}`);
  }
  if (relays > 0) lines.push(`${count(relays, 'relay', 'relays')}, started on this machine`);
  const firstHard = limits.findIndex(({ beyond }) => beyond === undefined);
  for (const [i, { clients: most, name, remedy, beyond }] of limits.slice(0, firstHard + 1).entries()) {
    if (!Number.isFinite(most)) break;
    const title = most < clients ? 'LIMIT EXCEEDED' : `${i === 0 ? 'first' : 'next'} limit`;
    lines.push(
      `${title}: ${count(most, 'client', 'clients')}, set by ${name}${beyond === undefined ? '' : `; ${beyond}`}`,
    );
    lines.push(`remedy: ${remedy}`);
  }
  return lines.map((line) => `  ${line}\n`).join('');
}
