import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { encodeSignal } from '../../services/shared/update/update-codec.ts';
import { RedisData } from './redis-data.ts';
import type { ScriptContext, ServerIdentity } from './redis-scripts-model.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A subscribing connection, as the server sees it. */
export interface Subscriber {
  readonly topics: ReadonlySet<Topic>;
  readonly floors: ReadonlySet<number>;
  update(topic: Topic, signal: string): void;
  floor(partition: number, floor: Version, raiseId: string): void;
  query(text: string): void;
  /** The channel of its markers; undefined while it does not subscribe to it. */
  readonly markerChannel: string | undefined;
  marker(text: string): void;
}

/** A Redis server: its data, clock, subscribers and replicas. */
export class SimulatedServer {
  readonly name: string;
  readonly #clock: Clock;
  readonly #floorRaised: (partition: number, floor: Version) => void;
  readonly #random: SeededRandom;
  readonly subscribers = new Set<Subscriber>();
  /** Replicas: receive every change and signal. */
  readonly followers = new Set<(change: (server: SimulatedServer) => void) => void>();
  data = new RedisData();
  /** The offset of its clock, in microseconds. */
  clockOffsetUs = 0;
  running = true;
  frozen = false;
  #calls = 0;
  #runId: string;
  #replicationId: string;
  #wasReplica = false;
  #loaded = 0;

  constructor(deps: {
    name: string;
    clock: Clock;
    random: SeededRandom;
    floorRaised: (partition: number, floor: Version) => void;
  }) {
    this.name = deps.name;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#floorRaised = deps.floorRaised;
    this.#runId = deps.random.id();
    this.#replicationId = deps.random.id();
  }

  /** Takes the run id and replication id of another server. */
  impersonate(server: string): void {
    [this.#runId = '', this.#replicationId = ''] = server.split('.');
  }

  /** Whether it replies to commands. */
  get responsive(): boolean {
    return this.running && !this.frozen;
  }

  get identity(): ServerIdentity {
    return {
      runId: this.#runId,
      replicationId: this.#replicationId,
      wasReplica: this.#wasReplica,
      loaded: this.#loaded,
    };
  }

  /** Models `TIME`. Increases with every call, by less than a millisecond in all. */
  nextNowUs(): number {
    this.#calls += 1;
    return Math.floor(this.#clock.nowMs()) * 1000 + (this.#calls % 1000) + this.clockOffsetUs;
  }

  /** Applies a change here and on the replicas. */
  write(change: (data: RedisData) => void): void {
    change(this.data);
    for (const follow of this.followers) follow((replica) => change(replica.data));
  }

  /** `PUBLISH`: sends a signal to the subscribers of this server and of its replicas. */
  publish(signal: (subscriber: Subscriber) => void): void {
    for (const subscriber of this.subscribers) signal(subscriber);
    for (const follow of this.followers) follow((replica) => replica.publish(signal));
  }

  publishMarker(channel: string, text: string): void {
    this.publish((subscriber) => {
      if (subscriber.markerChannel === channel) subscriber.marker(text);
    });
  }

  /** Returns the context for one run of a script. */
  context(): ScriptContext {
    return {
      data: this.data,
      nowUs: this.nextNowUs(),
      identity: this.identity,
      write: (change) => this.write(change),
      signalFloor: (partition, floor, raiseId) => {
        this.#floorRaised(partition, floor);
        this.publish((subscriber) => {
          if (subscriber.floors.has(partition)) subscriber.floor(partition, floor, raiseId);
        });
      },
      signalUpdate: (_partition, topic, version, body) => {
        const signal = encodeSignal(version, body);
        this.publish((subscriber) => {
          if (subscriber.topics.has(topic)) subscriber.update(topic, signal);
        });
      },
    };
  }

  /** Signals a receipt query: relays subscribe to those of a partition where they subscribe to its floor. */
  signalQuery(partition: number, text: string): void {
    this.publish((subscriber) => {
      if (subscriber.floors.has(partition)) subscriber.query(text);
    });
  }

  /** Ends the process; its data stay as they are. */
  kill(): void {
    this.running = false;
    this.frozen = false;
    this.subscribers.clear();
  }

  /** Continues as a replica: the process goes on, without connections. */
  rejoin(): void {
    this.running = true;
  }

  /** Starts a process with the given data, a new run id and a new replication id. */
  start(data: RedisData): void {
    this.data = data;
    this.running = true;
    this.#runId = this.#random.id();
    this.#replicationId = this.#random.id();
    this.#wasReplica = false;
    this.#loaded = 1;
  }

  /** Replaces the data of the running process, as a full resynchronization and `DEBUG RELOAD NOSAVE` do. */
  load(data: RedisData): void {
    this.data = data;
    this.#loaded += 1;
  }

  /** Takes another replication id without a change of roles, as for the first replica or after an expired backlog. */
  replaceReplicationId(): void {
    this.#replicationId = this.#random.id();
    this.#wasReplica = false;
  }

  /** Turns the replica into a master. */
  promote(): void {
    this.#replicationId = this.#random.id();
    this.#wasReplica = true;
  }
}
