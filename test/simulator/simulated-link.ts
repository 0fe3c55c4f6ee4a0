import type { Clock, Timer } from '../../services/shared/clock.ts';
import { AppError } from '../../services/shared/errors.ts';
import type { NetworkConditions } from './network-conditions.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedServer } from './simulated-server.ts';
import type { SimulatedShard } from './simulated-shard.ts';

/** As in `redis-client`: the time-out of a call, the longest silence before a link is closed, and the longest delay before a reconnect. */
const CALL_TIMEOUT_MS = 2000;
const MAX_SILENCE_MS = 5000;
const SILENCE_CHECK_MS = 1000;
const MAX_RECONNECT_DELAY_MS = 500;

/** A call in progress. */
interface Call {
  /** The call arrives at the server, and takes effect now or never. */
  arrive(): void;
  fail(): void;
}

/**
 * A connection of a process to the server that it regards as the master of a shard. A call that failed has taken
 * effect or never will. Reconnects whenever it is lost.
 */
export class SimulatedLink {
  readonly name: string;
  readonly #shard: SimulatedShard;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #network: NetworkConditions;
  readonly #handler: { up(server: SimulatedServer): void; down(server: SimulatedServer): void };
  readonly #calls = new Set<Call>();
  readonly #checkServer = () => {
    const server = this.#server;
    if (server && (!server.running || this.#shard.masterFor(this.name) !== server)) this.disconnect();
  };
  #server: SimulatedServer | undefined;
  #connection: object = {};
  #silenceTimer: Timer | undefined;
  #silentMs = 0;
  #stopped = false;
  #attempt = 0;

  constructor(deps: {
    name: string;
    shard: SimulatedShard;
    clock: Clock;
    random: SeededRandom;
    network: NetworkConditions;
    handler: { up(server: SimulatedServer): void; down(server: SimulatedServer): void };
  }) {
    this.name = deps.name;
    this.#shard = deps.shard;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#network = deps.network;
    this.#handler = deps.handler;
    this.#shard.watchers.add(this.#checkServer);
  }

  /** The server it is connected to; undefined while it is down. */
  get server(): SimulatedServer | undefined {
    return this.#server;
  }

  /** Identifies the current connection. */
  get connection(): object {
    return this.#connection;
  }

  /** Starts to connect. Calls back when the first attempt has succeeded or failed. */
  connect(attempted: () => void = () => {}): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#clock.after(this.#random.between(1, MAX_RECONNECT_DELAY_MS / 10), () => {
      if (this.#stopped || this.#attempt !== attempt) return;
      const server = this.#shard.masterFor(this.name);
      if (this.#shard.reaches(this.name, server)) {
        this.#server = server;
        this.#connection = {};
        this.#silentMs = 0;
        this.#watchSilence();
        this.#handler.up(server);
      } else this.#clock.after(this.#random.between(0.5, 1) * MAX_RECONNECT_DELAY_MS, () => this.#reconnect(attempt));
      attempted();
    });
  }

  /** Closes the connection and reconnects. All calls in progress fail; some of them have taken effect. */
  disconnect(): void {
    if (!this.#server) return;
    const server = this.#server;
    this.#drop();
    this.#handler.down(server);
    if (!this.#stopped) this.connect();
  }

  /** Closes the connection permanently. */
  stop(): void {
    this.#stopped = true;
    this.#shard.watchers.delete(this.#checkServer);
    this.#drop();
  }

  /**
   * Makes a call to the server.
   * @throws {AppError} `broker_unavailable` if there is no reply within the deadline
   */
  call<T>(run: (server: SimulatedServer) => T): Promise<T> {
    const server = this.#server;
    if (!server) return Promise.reject(new AppError('broker_unavailable'));
    return new Promise((resolve, reject) => {
      let state: 'sent' | 'arrived' | 'ended' = 'sent';
      const failing = this.#random.chance(this.#network.callFailure);
      const isLost = failing && this.#random.chance(0.5);
      const call: Call = {
        arrive: () => {
          if (state !== 'sent') return;
          state = 'arrived';
          if (isLost || !this.#shard.reaches(this.name, server)) return;
          const result = run(server);
          if (failing) return; // the reply is lost
          this.#clock.after(this.#latencyMs(), () => end(() => resolve(result)));
        },
        fail: () => end(() => reject(new AppError('broker_unavailable'))),
      };
      const deadline = this.#clock.after(CALL_TIMEOUT_MS, () => call.fail());
      const end = (settle: () => void) => {
        if (state === 'ended') return;
        state = 'ended';
        deadline.cancel();
        this.#calls.delete(call);
        settle();
      };
      this.#calls.add(call);
      this.#clock.after(this.#latencyMs(), () => {
        if (state !== 'sent') return;
        // In the order of sending, as on any connection.
        for (const earlier of this.#calls) {
          earlier.arrive();
          if (earlier === call) break;
        }
      });
    });
  }

  #latencyMs(): number {
    return this.#random.between(0, this.#network.latencyMs);
  }

  #reconnect(attempt: number): void {
    if (!this.#stopped && this.#attempt === attempt) this.connect();
  }

  #drop(): void {
    this.#attempt += 1;
    this.#server = undefined;
    this.#silenceTimer?.cancel();
    for (const call of [...this.#calls]) {
      // Calls that have not arrived take effect now or never.
      if (this.#random.chance(0.5)) call.arrive();
      call.fail();
    }
    this.#calls.clear();
  }

  /** Closes the link if it is silent for as long as `redis-client` may wait. */
  #watchSilence(): void {
    this.#silenceTimer = this.#clock.after(SILENCE_CHECK_MS, () => {
      const server = this.#server;
      if (!server) return;
      this.#silentMs = this.#shard.reaches(this.name, server) ? 0 : this.#silentMs + SILENCE_CHECK_MS;
      if (this.#silentMs >= MAX_SILENCE_MS) this.disconnect();
      else this.#watchSilence();
    });
  }
}
