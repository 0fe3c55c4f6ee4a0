import { checkClient, checkPromise } from './check-quiet-end.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { Simulation } from './simulation.ts';

/** How often it looks, in milliseconds. */
const LOOK_MS = 100;

/**
 * Watches clients come back and catch up once all faults have ended. The two are told apart: how long a client
 * takes to notice that its line is dead, and to choose a moment to come back, is its own patience.
 */
export class Recovery {
  readonly #simulation: Simulation;
  readonly #beganMs: number;
  /** Since when a client has a line to a relay. */
  readonly #backAtMs = new Map<SimulatedClient, number>();
  /** How long the client waited from there on for what it was owed. */
  readonly #waitedMs = new Map<SimulatedClient, number>();
  #freshAfterMs = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#beganMs = simulation.time.nowMs;
  }

  /** Clients without a line to a relay, or without its first answer. */
  get away(): readonly SimulatedClient[] {
    return [...this.#simulation.clients].filter(
      (client) => !client.hears || !client.topics.every((topic) => client.page.has(topic)),
    );
  }

  /** When the last client had a line again, in milliseconds from the end of the faults. */
  get backAfterMs(): number {
    return Math.max(...this.#backAtMs.values(), this.#beganMs) - this.#beganMs;
  }

  /** The longest that a relay was not fresh, or that a client with a line waited to be up to date, in milliseconds. */
  get repairedAfterMs(): number {
    return Math.max(0, this.#freshAfterMs, ...this.#waitedMs.values());
  }

  /** Looks on until nothing is to be done any more, or so much time has passed. */
  async watch(isDone: () => boolean, patienceMs: number): Promise<void> {
    const { time } = this.#simulation;
    const endMs = time.nowMs + patienceMs;
    this.#look();
    while (!isDone() && time.nowMs < endMs) {
      await time.runFor(LOOK_MS);
      this.#look();
    }
  }

  /** Whether everybody is up to date. */
  get isRepaired(): boolean {
    return checkPromise(this.#simulation).length === 0;
  }

  #look(): void {
    const { time, clients, relays } = this.#simulation;
    if (relays.some(({ hub }) => !hub.fresh)) this.#freshAfterMs = time.nowMs + LOOK_MS - this.#beganMs;
    for (const client of clients) {
      if (!client.hears) this.#backAtMs.delete(client);
      else if (!this.#backAtMs.has(client)) this.#backAtMs.set(client, time.nowMs);
      const backAtMs = this.#backAtMs.get(client);
      if (client.topics.length === 0) continue; // nothing is owed to it
      if (backAtMs === undefined || checkClient(this.#simulation, client).length === 0) continue;
      this.#waitedMs.set(client, time.nowMs + LOOK_MS - backAtMs);
    }
  }
}
