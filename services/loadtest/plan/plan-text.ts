import type { Plan } from './plan.ts';

const number = (value: number): string => value.toLocaleString('en-US');
const count = (value: number, one: string, many: string): string => `${number(value)} ${value === 1 ? one : many}`;

/** Says what a plan does and what will bind, one sentence a line. */
export function planText(plan: Plan): string {
  const { clients, asked, processes, relays, limits, sourceAddresses } = plan;
  const most = processes[0] ?? 0;
  const addresses = sourceAddresses.flat();
  const each = processes.length === 1 ? '' : ` with ${number(most)} each`;
  const lines = [`${count(clients, 'client', 'clients')} in ${count(processes.length, 'process', 'processes')}${each}`];
  if (clients < asked) lines.push(`as many as fit of the ${number(asked)} that were asked for`);
  if (addresses.length > 0) {
    lines.push(`from ${addresses.length === 1 ? addresses[0] : `${addresses[0]} to ${addresses.at(-1)}`}`);
  }
  if (relays > 0) lines.push(`to ${count(relays, 'relay', 'relays')} that ${relays === 1 ? 'is' : 'are'} started here`);
  const firstHard = limits.findIndex(({ beyond }) => beyond === undefined);
  for (const [i, { clients: most, name, remedy, beyond }] of limits.slice(0, firstHard + 1).entries()) {
    if (!Number.isFinite(most)) break;
    const verb = most < clients ? 'THE LIMIT IS' : `the ${i === 0 ? 'first' : 'next'} limit would be`;
    lines.push(`${verb} ${count(most, 'client', 'clients')}, by ${name}${beyond === undefined ? '' : `: ${beyond}`}`);
    lines.push(`to lift it: ${remedy}`);
  }
  return lines.map((line) => `  ${line}\n`).join('');
}
