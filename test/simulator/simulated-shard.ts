import type { Clock } from '../../services/shared/clock.ts';
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
  /** Links of processes that have not heard of the new master yet. */
  readonly #believers = new Set<string>();
  /** Links whose packets are swallowed. */
  readonly #cut = new Set<string>();
  readonly #floorsRaisedAtMs = new Map<number, number>();
  #master = 0;
  #replication = 0;
  #appliedAtMs = 0;
  #stopFollowing = () => {};
  /** The newest snapshots, oldest first. */
  snapshots: readonly RedisData[] = [];
  /** Told where a server stops being what it was: links to it end. */
  readonly watchers = new Set<(server: SimulatedServer) => void>();

  constructor(deps: { name: string; clock: Clock; random: SeededRandom; note: (what: string) => void }) {
    const { name, clock, random } = deps;
    this.name = name;
    this.#clock = clock;
    this.#random = random;
    const createServer = (place: number) =>
      new SimulatedServer({
        name: `${name}${'ab'.charAt(place)}`,
        clock,
        random,
        floorRaised: (partition, floor) => {
          deps.note(`${this.servers[place]?.name} raises the floor of partition ${partition} to ${floor}`);
          if (this.#master === place) this.#floorsRaisedAtMs.set(partition, clock.nowMs());
        },
      });
    this.servers = [createServer(0), createServer(1)];
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

  /** When the master of the time last raised the floor of a partition; undefined where none has. */
  floorRaisedAtMs(partition: number): number | undefined {
    return this.#floorsRaisedAtMs.get(partition);
  }

  /** Where a link goes to. */
  masterFor(link: string): SimulatedServer {
    return this.#believers.has(link) ? this.replica : this.master;
  }

  /** Whether packets between the two arrive. */
  reaches(link: string, server: SimulatedServer): boolean {
    return server.answers && !this.#cut.has(link);
  }

  /** Swallows all packets of a link, until `mend`. */
  cutOff(link: string): void {
    this.#cut.add(link);
  }

  mend(link: string): void {
    this.#cut.delete(link);
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

  /** Keeps the master's data of now, as a file on its disk would. */
  snapshot(): void {
    this.snapshots = [...this.snapshots.slice(-2), this.master.data.copy()];
  }

  /** `FLUSHALL`. */
  flush(): void {
    const { master } = this;
    master.write((data) => data.clear());
  }

  /**
   * The replica becomes the master, without what has not reached it. These links go to the old one for now, if it
   * lives: the brain is split until all have heard.
   */
  failOver(believers: readonly string[]): void {
    this.#stopFollowing();
    const old = this.master;
    this.#master = 1 - this.#master;
    if (!this.master.running) this.master.start(this.master.data);
    this.master.promote();
    for (const link of believers) this.#believers.add(link);
    if (this.isSplit) for (const watcher of this.watchers) watcher(old);
    else this.#demote();
  }

  /** One of those links hears of the new master. */
  convince(link: string): void {
    if (!this.#believers.delete(link)) return;
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
