import type { RelayLoad, RelayRegistry } from '../../shared/broker/broker.ts';
import type { Clock, Timer } from '../../shared/clock.ts';

/** How often relays tell each other what they hold: the picture is no older than that, and what a call takes. */
export const EXCHANGE_INTERVAL_MS = 2000;

/** The same while the broker is away: when it comes back, perhaps empty, everybody is to be seen soon. */
const RETRY_INTERVAL_MS = 200;

/** What this relay knows of all relays of the cluster, itself included. */
export class ClusterPicture {
  readonly #id: string;
  readonly #loads: RelayRegistry;
  readonly #clock: Clock;
  readonly #connections: () => number;
  readonly #exchanged: () => void;
  #others: { readonly relays: number; readonly connections: number } = { relays: 0, connections: 0 };
  #timer: Timer | undefined;
  #stopped = false;

  /**
   * `id` is this relay's among all. `connections` tells how many it holds; `exchanged` is called after each exchange that
   * succeeded.
   */
  constructor(deps: {
    id: string;
    loads: RelayRegistry;
    clock: Clock;
    connections: () => number;
    exchanged: () => void;
  }) {
    this.#id = deps.id;
    this.#loads = deps.loads;
    this.#clock = deps.clock;
    this.#connections = deps.connections;
    this.#exchanged = deps.exchanged;
  }

  /** Relays of the cluster. */
  get relays(): number {
    return this.#others.relays + 1;
  }

  /** Connections of the whole cluster. */
  get connections(): number {
    return this.#others.connections + this.#connections();
  }

  start(): void {
    void this.#exchange();
  }

  /** Takes this relay out of the others' picture. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#loads.exchangeLoad(this.#id, undefined).catch(() => {}); // it is forgotten soon anyway
  }

  async #exchange(): Promise<void> {
    let intervalMs = EXCHANGE_INTERVAL_MS;
    try {
      const own: RelayLoad = { connections: this.#connections() };
      const all = await this.#loads.exchangeLoad(this.#id, own);
      if (this.#stopped) return void (await this.#loads.exchangeLoad(this.#id, undefined));
      const connections = all.reduce((sum, load) => sum + load.connections, 0) - own.connections;
      this.#others = { relays: Math.max(0, all.length - 1), connections: Math.max(0, connections) };
      this.#exchanged();
    } catch {
      // Nothing is shared while the broker is away; the last picture is the best there is.
      intervalMs = RETRY_INTERVAL_MS;
    }
    if (this.#stopped) return;
    const jittered = intervalMs * (0.9 + 0.2 * this.#clock.random());
    this.#timer = this.#clock.after(jittered, () => void this.#exchange());
  }
}
