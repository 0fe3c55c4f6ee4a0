import type { Clock, Timer } from '../../services/shared/clock.ts';
import { AppError } from '../../services/shared/errors.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedServer } from './simulated-server.ts';
import type { SimulatedShard } from './simulated-shard.ts';
import type { Weather } from './weather.ts';

/** As `redis-client`: when a call has failed, how often the link is probed, how soon it is made anew. */
const CALL_TIMEOUT_MS = 2000;
const PING_INTERVAL_MS = 1000;
const MAX_RECONNECT_DELAY_MS = 500;

/** A call under way. */
interface Call {
  /** Arrives at the server: takes effect now or never. */
  arrive(): void;
  fail(): void;
}

/**
 * One connection of a process to the server that it takes for a shard's master. A call that fails has taken
 * effect or never will. Is made anew, again and again, whenever it is lost.
 */
export class SimulatedLink {
  readonly name: string;
  readonly #shard: SimulatedShard;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #weather: Weather;
  readonly #handler: { up(server: SimulatedServer): void; down(server: SimulatedServer): void };
  readonly #calls = new Set<Call>();
  readonly #judge = () => {
    const server = this.#server;
    if (server && (!server.running || this.#shard.masterFor(this.name) !== server)) this.cut();
  };
  #server: SimulatedServer | undefined;
  #pinger: Timer | undefined;
  #silentPings = 0;
  #stopped = false;
  #attempt = 0;

  constructor(deps: {
    name: string;
    shard: SimulatedShard;
    clock: Clock;
    random: SeededRandom;
    weather: Weather;
    handler: { up(server: SimulatedServer): void; down(server: SimulatedServer): void };
  }) {
    this.name = deps.name;
    this.#shard = deps.shard;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#weather = deps.weather;
    this.#handler = deps.handler;
    this.#shard.watchers.add(this.#judge);
  }

  /** Where it goes to, while it is up. */
  get server(): SimulatedServer | undefined {
    return this.#server;
  }

  /** Begins to connect; calls back when the first attempt has succeeded or failed. */
  connect(attempted: () => void = () => {}): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#clock.after(this.#random.between(1, MAX_RECONNECT_DELAY_MS / 10), () => {
      if (this.#stopped || this.#attempt !== attempt) return;
      const server = this.#shard.masterFor(this.name);
      if (this.#shard.reaches(this.name, server)) {
        this.#server = server;
        this.#silentPings = 0;
        this.#ping();
        this.#handler.up(server);
      } else this.#clock.after(this.#random.between(0.5, 1) * MAX_RECONNECT_DELAY_MS, () => this.#reconnect(attempt));
      attempted();
    });
  }

  /** The connection ends; all calls under way fail, some of which have taken effect. */
  cut(): void {
    if (!this.#server) return;
    const server = this.#server;
    this.#drop();
    this.#handler.down(server);
    if (!this.#stopped) this.connect();
  }

  /** As `cut`, for good. */
  stop(): void {
    this.#stopped = true;
    this.#shard.watchers.delete(this.#judge);
    this.#drop();
  }

  /** Runs something on the server. Rejects with `broker_unavailable` within the deadline. */
  call<T>(run: (server: SimulatedServer) => T): Promise<T> {
    const server = this.#server;
    if (!server) return Promise.reject(new AppError('broker_unavailable'));
    return new Promise((resolve, reject) => {
      let state: 'sent' | 'arrived' | 'ended' = 'sent';
      const failing = this.#random.chance(this.#weather.callFailure);
      const isLost = failing && this.#random.chance(0.5);
      const call: Call = {
        arrive: () => {
          if (state !== 'sent') return;
          state = 'arrived';
          if (isLost || !this.#shard.reaches(this.name, server)) return;
          const result = run(server);
          if (failing) return; // the answer is swallowed
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
        // In the order of sending, as over any connection.
        for (const earlier of this.#calls) {
          earlier.arrive();
          if (earlier === call) break;
        }
      });
    });
  }

  #latencyMs(): number {
    return this.#random.between(0, this.#weather.latencyMs);
  }

  #reconnect(attempt: number): void {
    if (!this.#stopped && this.#attempt === attempt) this.connect();
  }

  #drop(): void {
    this.#attempt += 1;
    this.#server = undefined;
    this.#pinger?.cancel();
    for (const call of [...this.#calls]) {
      // What was on its way arrives now or never.
      if (this.#random.chance(0.5)) call.arrive();
      call.fail();
    }
    this.#calls.clear();
  }

  /** A link that is silent for as long as `redis-client` waits is given up. */
  #ping(): void {
    this.#pinger = this.#clock.after(PING_INTERVAL_MS, () => {
      const server = this.#server;
      if (!server) return;
      this.#silentPings = this.#shard.reaches(this.name, server) ? 0 : this.#silentPings + 1;
      if (this.#silentPings * PING_INTERVAL_MS > CALL_TIMEOUT_MS) this.cut();
      else this.#ping();
    });
  }
}
