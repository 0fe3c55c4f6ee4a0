import type { Plan } from './plan.ts';

const number = (value: number): string => value.toLocaleString('en-US');

/** Says what a plan does and what will bind, one sentence a line. */
export function planText(plan: Plan): string {
  const { clients, processes, relays, limits, sourceAddresses } = plan;
  const most = processes[0] ?? 0;
  const addresses = sourceAddresses.flat();
  const lines = [`${number(clients)} clients in ${processes.length} process(es) of at most ${number(most)}`];
  if (addresses.length > 0) {
    lines.push(`from ${addresses.length === 1 ? addresses[0] : `${addresses[0]} to ${addresses.at(-1)}`}`);
  }
  if (relays > 0) lines.push(`to ${relays} relay process(es) that are started here`);
  const [binding] = limits;
  if (binding && Number.isFinite(binding.clients)) {
    const fits = binding.clients >= clients;
    lines.push(
      `the first limit ${fits ? 'above that' : 'is BELOW that'}: ${number(binding.clients)} by ${binding.name}`,
    );
    lines.push(`to lift it: ${binding.remedy}`);
  }
  return lines.map((line) => `  ${line}\n`).join('');
}
