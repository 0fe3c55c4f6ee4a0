import { checkClient, checkPromise } from './check-invariants.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { Simulation } from './simulation.ts';

/** The interval between checks, in milliseconds. */
const CHECK_INTERVAL_MS = 100;

/**
 * Measures how clients reconnect and catch up after all faults have ended. The two are measured separately: the time
 * that a client takes to detect a dead connection and to reconnect depends on the client alone.
 */
export class Recovery {
  readonly #simulation: Simulation;
  readonly #startedAtMs: number;
  /** The time since which each client is connected to a relay. */
  readonly #backAtMs = new Map<SimulatedClient, number>();
  /** The time from there until the client was up to date. */
  readonly #waitedMs = new Map<SimulatedClient, number>();
  #freshAfterMs = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#startedAtMs = simulation.time.nowMs;
  }

  /** Clients without a connection to a relay, or without its first reply. */
  get away(): readonly SimulatedClient[] {
    return [...this.#simulation.clients].filter(
      (client) => !client.receives || !client.topics.every((topic) => client.page.has(topic)),
    );
  }

  /** The time until the last client was connected again, in milliseconds from the end of the faults. */
  get backAfterMs(): number {
    return Math.max(...this.#backAtMs.values(), this.#startedAtMs) - this.#startedAtMs;
  }

  /** The longest time that a relay was not fresh, or that a connected client was not up to date, in milliseconds. */
  get repairedAfterMs(): number {
    return Math.max(0, this.#freshAfterMs, ...this.#waitedMs.values());
  }

  /** Observes until `isDone`, or for at most `timeoutMs`. */
  async watch(isDone: () => boolean, timeoutMs: number): Promise<void> {
    const { time } = this.#simulation;
    const endMs = time.nowMs + timeoutMs;
    this.#observe();
    while (!isDone() && time.nowMs < endMs) {
      await time.runFor(CHECK_INTERVAL_MS);
      this.#observe();
    }
  }

  /** Whether all clients and relays are up to date. */
  get isRepaired(): boolean {
    return checkPromise(this.#simulation).length === 0;
  }

  #observe(): void {
    const { time, clients, relays } = this.#simulation;
    if (relays.some(({ hub }) => !hub.fresh)) this.#freshAfterMs = time.nowMs + CHECK_INTERVAL_MS - this.#startedAtMs;
    for (const client of clients) {
      if (!client.receives) this.#backAtMs.delete(client);
      else if (!this.#backAtMs.has(client)) this.#backAtMs.set(client, time.nowMs);
      const backAtMs = this.#backAtMs.get(client);
      if (client.topics.length === 0) continue; // it is always up to date
      if (backAtMs === undefined || checkClient(this.#simulation, client).length === 0) continue;
      this.#waitedMs.set(client, time.nowMs + CHECK_INTERVAL_MS - backAtMs);
    }
  }
}
