import type { ClientPlan } from './client-plan.ts';
import type { ClientPool } from './client-pool.ts';

const TICK_MS = 20;
/** Handshakes in progress at a time; more would only wait in the accept queue of the server and be measured there. */
const MAX_OPENING = 250;
const SECOND_MS = 1000;

type Schedule = Pick<ClientPlan, 'count' | 'rampMs' | 'churnPerSecond' | 'slowShare' | 'slowPauseMs'>;
type Clients = Pick<ClientPool, 'connect' | 'churn' | 'sweep' | 'isOpen' | 'isSlow' | 'connection' | 'opening'>;

/** Drives the clients of a process: connects them along the ramp, reconnects some (churn), pauses slow readers. */
export class ClientScheduler {
  readonly #plan: Schedule;
  readonly #clients: Clients;
  readonly #startedMs = performance.now();
  #rampTimer: NodeJS.Timeout | undefined;
  #next = 0;
  #ramping = true;
  #churnDue = 0;
  #churned = 0;
  #slowClientsRead = true;

  constructor(deps: { plan: Schedule; clients: Clients }) {
    this.#plan = deps.plan;
    this.#clients = deps.clients;
  }

  /** Starts the ramp, the search for timed-out handshakes and the pauses of slow readers. */
  start(): void {
    this.#rampTimer = setInterval(() => this.#ramp(), TICK_MS);
    setInterval(() => this.#clients.sweep(), SECOND_MS);
    if (this.#plan.slowShare > 0) this.#toggleSlowClients();
  }

  /** Starts to disconnect and reconnect clients. */
  startChurn(): void {
    if (this.#plan.churnPerSecond > 0) setInterval(() => this.#churn(), SECOND_MS / 10);
  }

  /** Ends the ramp; no more clients connect for the first time. */
  endRamp(): void {
    this.#ramping = false;
    clearInterval(this.#rampTimer);
  }

  /** True once the ramp has ended and no handshake is in progress. */
  get isRampDone(): boolean {
    return !this.#ramping && this.#clients.opening === 0;
  }

  #ramp(): void {
    const { count, rampMs } = this.#plan;
    const elapsed = rampMs === 0 ? 1 : Math.min(1, (performance.now() - this.#startedMs) / rampMs);
    while (this.#ramping && this.#next < count * elapsed && this.#clients.opening < MAX_OPENING) {
      this.#clients.connect(this.#next);
      this.#next += 1;
    }
    if (this.#next >= count) this.endRamp();
  }

  #churn(): void {
    const { count, churnPerSecond } = this.#plan;
    this.#churnDue += churnPerSecond / 10;
    for (let tries = count; this.#churnDue >= 1 && tries > 0; tries -= 1) {
      const client = this.#churned % count;
      this.#churned += 1;
      if (!this.#clients.isOpen(client)) continue;
      this.#clients.churn(client);
      this.#churnDue -= 1;
    }
  }

  #toggleSlowClients(): void {
    this.#slowClientsRead = !this.#slowClientsRead;
    for (let client = 0; client < this.#plan.count; client += 1) {
      if (!this.#clients.isSlow(client) || !this.#clients.isOpen(client)) continue;
      const connection = this.#clients.connection(client);
      if (this.#slowClientsRead) connection?.resume();
      else connection?.pause();
    }
    setTimeout(() => this.#toggleSlowClients(), this.#slowClientsRead ? SECOND_MS : this.#plan.slowPauseMs);
  }
}
