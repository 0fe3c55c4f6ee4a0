import type { Clock } from '../../services/shared/process/clock.ts';
import type { RedisData } from './redis-data.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedServer } from './simulated-server.ts';

/** How long a change takes to a replica, and a replica to copy a master anew, in milliseconds. */
const MAX_LAG_MS = 400;

/** A master and its replica, and which of the two each process takes for the master. */
export class SimulatedShard {
  readonly name: string;
  readonly servers: readonly [SimulatedServer, SimulatedServer];
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  /** Processes that have not heard of the new master yet. */
  readonly #believers = new Set<string>();
  /** Links that are swallowed: `<process>`. */
  readonly #cut = new Set<string>();
  #master = 0;
  #replication = 0;
  #appliedAtMs = 0;
  #stopFollowing = () => {};
  /** Told where a server stops being what it was: links to it end. */
  readonly watchers = new Set<(server: SimulatedServer) => void>();

  constructor(deps: { name: string; clock: Clock; random: SeededRandom }) {
    const { name, clock, random } = deps;
    this.name = name;
    this.#clock = clock;
    this.#random = random;
    this.servers = [
      new SimulatedServer({ name: `${name}a`, clock, random }),
      new SimulatedServer({ name: `${name}b`, clock, random }),
    ];
    this.#replicate();
  }

  get master(): SimulatedServer {
    return this.servers[this.#master] as SimulatedServer;
  }

  get replica(): SimulatedServer {
    return this.servers[1 - this.#master] as SimulatedServer;
  }

  /** Whether a replaced master still takes itself, or is taken, for the master. */
  get isSplit(): boolean {
    return this.#believers.size > 0;
  }

  /** Whom a process takes for the master. */
  masterFor(process: string): SimulatedServer {
    return this.#believers.has(process) ? this.replica : this.master;
  }

  /** Whether packets between the two arrive. */
  reaches(process: string, server: SimulatedServer): boolean {
    return server.answers && !this.#cut.has(process);
  }

  /** Swallows all packets of a process, until `mend`. */
  cutOff(process: string): void {
    this.#cut.add(process);
  }

  mend(process: string): void {
    this.#cut.delete(process);
  }

  /** The master's process ends. */
  kill(): void {
    this.#end(this.master);
  }

  /** The master's process starts again, with these data. */
  restart(data: RedisData): void {
    this.master.start(data);
    if (!this.isSplit) this.#replicate();
  }

  /** `FLUSHALL`. */
  flush(): void {
    const { master } = this;
    master.write((data) => data.clear());
  }

  /**
   * The replica becomes the master, without what has not reached it. These processes go on with the old one for
   * now, if it lives: the brain is split until `healSplit`.
   */
  failOver(believers: readonly string[]): void {
    this.#stopFollowing();
    const old = this.master;
    this.#master = 1 - this.#master;
    if (!this.master.running) this.master.start(this.master.data);
    this.master.promote();
    for (const process of believers) this.#believers.add(process);
    if (this.isSplit) for (const watcher of this.watchers) watcher(old);
    else this.#demote();
  }

  /** One process hears of the new master. */
  convince(process: string): void {
    if (!this.#believers.delete(process)) return;
    if (this.isSplit) for (const watcher of this.watchers) watcher(this.replica);
    else this.#demote();
  }

  /** Everybody hears of it; what the old master has taken in meanwhile is lost. */
  healSplit(): void {
    if (!this.isSplit) return;
    this.#believers.clear();
    this.#demote();
  }

  #demote(): void {
    const { replica } = this;
    this.#end(replica);
    replica.start(this.master.data.copy());
    this.#replicate();
  }

  #end(server: SimulatedServer): void {
    server.kill();
    for (const watcher of this.watchers) watcher(server);
  }

  /** The replica copies the master, then follows it at a distance. */
  #replicate(): void {
    this.#stopFollowing();
    this.#replication += 1;
    const { master, replica } = this;
    const replication = this.#replication;
    const later = (change: () => void) => {
      this.#appliedAtMs = Math.max(this.#appliedAtMs, this.#clock.nowMs() + this.#random.between(0, MAX_LAG_MS));
      this.#clock.after(this.#appliedAtMs - this.#clock.nowMs(), () => {
        if (this.#replication === replication) change();
      });
    };
    const snapshot = master.data.copy();
    later(() => {
      replica.data = snapshot;
    });
    const follow = (change: (data: RedisData) => void) => later(() => change(replica.data));
    master.followers.add(follow);
    this.#stopFollowing = () => {
      this.#replication += 1;
      master.followers.delete(follow);
    };
  }
}
