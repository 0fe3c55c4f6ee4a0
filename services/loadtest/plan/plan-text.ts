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
  const [binding] = limits;
  if (binding && Number.isFinite(binding.clients)) {
    const verb = binding.clients >= clients ? 'the first limit would be' : 'THE LIMIT IS';
    lines.push(`${verb} ${count(binding.clients, 'client', 'clients')}, by ${binding.name}`);
    lines.push(`to lift it: ${binding.remedy}`);
  }
  return lines.map((line) => `  ${line}\n`).join('');
}
