import { OldClient } from './old-client.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { Simulation } from './simulation.ts';

/** When the system below a page of 2009 finds out at the latest that its line is dead, in milliseconds. */
const NOTICED_MS = 12_000;

/** Lets the pages of 2009 among these clients find out that their lines are dead: they cannot do so by themselves. */
export function noticeDeadLines({ time, random }: Simulation, clients: Iterable<SimulatedClient>): void {
  for (const client of clients) {
    const pipe = client instanceof OldClient ? client.line?.pipe : undefined;
    if (pipe) time.after(random.between(0, NOTICED_MS), () => pipe.notice());
  }
}
