import { LegacyClient } from './legacy-client.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { Simulation } from './simulation.ts';

/** The longest time until the operating system of a legacy client detects a dead connection, in milliseconds. */
const DETECTED_MS = 12_000;

/** Closes the dead connections of legacy clients after a while, as their operating system would: they have no heartbeat. */
export function detectDeadConnections({ time, random }: Simulation, clients: Iterable<SimulatedClient>): void {
  for (const client of clients) {
    const pipe = client instanceof LegacyClient ? client.connection?.pipe : undefined;
    if (pipe) time.after(random.between(0, DETECTED_MS), () => pipe.timeOut());
  }
}
