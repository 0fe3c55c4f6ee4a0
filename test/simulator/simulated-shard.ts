import type { Clock } from '../../services/shared/clock.ts';
import { RedisData } from './redis-data.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedServer } from './simulated-server.ts';

/** The longest time until a change or a full copy reaches the replica, in milliseconds. */
const MAX_LAG_MS = 400;

/** A master and its replica, and which of the two each process regards as the master. */
export class SimulatedShard {
  readonly name: string;
  readonly servers: readonly [SimulatedServer, SimulatedServer];
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  /** Links of processes that still use the replaced master. */
  readonly #staleLinks = new Set<string>();
  /** Links that are connected to the replica, as by a proxy or an old address. */
  readonly #misrouted = new Set<string>();
  /** Links whose packets are dropped. */
  readonly #blackholed = new Set<string>();
  readonly #floorsRaisedAtMs = new Map<number, number>();
  #master = 0;
  #replication = 0;
  #appliedAtMs = 0;
  #stopFollowing = () => {};
  /** The newest snapshots, oldest first. */
  snapshots: readonly RedisData[] = [];
  /** Whether the master will be reloaded with data from before. */
  isReloading = false;
  /** The time of the last reload; -Infinity before the first. */
  reloadedAtMs = Number.NEGATIVE_INFINITY;
  /** The time at which the last split brain ended; -Infinity before the first. */
  splitEndedAtMs = Number.NEGATIVE_INFINITY;
  /** Called when a server ended or changed its role: links to it end. */
  readonly watchers = new Set<(server: SimulatedServer) => void>();

  constructor(deps: { name: string; clock: Clock; random: SeededRandom; log: (what: string) => void }) {
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
          deps.log(`${this.servers[place]?.name} raises the floor of partition ${partition} to ${floor}`);
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

  /** Whether a link still uses a replaced master. */
  get isSplit(): boolean {
    return this.#staleLinks.size > 0;
  }

  /** Returns the time at which a master last raised the floor of a partition; undefined if none has. */
  floorRaisedAtMs(partition: number): number | undefined {
    return this.#floorsRaisedAtMs.get(partition);
  }

  /** Returns the server that a link regards as the master. */
  masterFor(link: string): SimulatedServer {
    return this.#staleLinks.has(link) || this.#misrouted.has(link) ? this.replica : this.master;
  }

  /** Connects a link to the replica from now on, until `reroute`. */
  misroute(link: string): void {
    this.#misrouted.add(link);
    for (const watcher of this.watchers) watcher(this.master);
  }

  reroute(link: string): void {
    if (!this.#misrouted.delete(link)) return;
    for (const watcher of this.watchers) watcher(this.replica);
  }

  /** Whether packets between a link and a server arrive. */
  reaches(link: string, server: SimulatedServer): boolean {
    return server.responsive && !this.#blackholed.has(link);
  }

  /** Drops all packets of a link, until `restore`. */
  blackhole(link: string): void {
    this.#blackholed.add(link);
  }

  restore(link: string): void {
    this.#blackholed.delete(link);
  }

  /** Ends the process of the master. */
  kill(): void {
    this.#end(this.master);
  }

  /** Restarts the process of the master with the given data. */
  restart(data: RedisData): void {
    this.master.start(data);
    if (!this.isSplit) this.#replicate();
  }

  /** Saves a snapshot of the master. */
  snapshot(): void {
    this.snapshots = [...this.snapshots.slice(-2), this.master.data.copy()];
  }

  /** `FLUSHALL`. */
  flush(): void {
    const { master } = this;
    master.write((data) => data.clear());
  }

  /** `DEBUG RELOAD NOSAVE` of the master; the replica keeps the newer data. */
  reload(data: RedisData): void {
    this.reloadedAtMs = this.#clock.nowMs();
    this.master.load(data);
  }

  /**
   * Promotes the replica, without the changes that have not reached it. The given links keep using the former master,
   * if it is running: a split brain until all of them have switched over.
   */
  failOver(staleLinks: readonly string[]): void {
    this.#stopFollowing();
    const former = this.master;
    this.#master = 1 - this.#master;
    if (!this.master.running) this.master.start(this.master.data);
    this.master.promote();
    for (const link of staleLinks) this.#staleLinks.add(link);
    if (this.isSplit) for (const watcher of this.watchers) watcher(former);
    else this.#demote();
  }

  /** Makes one of those links use the new master. */
  switchOver(link: string): void {
    if (!this.#staleLinks.delete(link)) return;
    if (this.isSplit) for (const watcher of this.watchers) watcher(this.replica);
    else this.#demote();
  }

  /** Makes all links use the new master. What the former one accepted meanwhile is lost. */
  healSplit(): void {
    if (!this.isSplit) return;
    this.#staleLinks.clear();
    this.#demote();
  }

  #demote(): void {
    const { replica } = this;
    this.splitEndedAtMs = this.#clock.nowMs();
    const wasRunning = replica.running;
    this.#end(replica);
    if (wasRunning) replica.rejoin();
    else replica.start(new RedisData());
    this.#replicate();
  }

  #end(server: SimulatedServer): void {
    server.kill();
    for (const watcher of this.watchers) watcher(server);
  }

  /** Makes the replica copy the master, then apply its changes with a delay. */
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
      replica.load(snapshot);
    });
    const follow = (change: (server: SimulatedServer) => void) => later(() => change(replica));
    master.followers.add(follow);
    this.#stopFollowing = () => {
      this.#replication += 1;
      master.followers.delete(follow);
    };
  }
}
