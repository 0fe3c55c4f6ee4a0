import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { encodeSignal } from '../../services/shared/update/update-codec.ts';
import { RedisData } from './redis-data.ts';
import type { ScriptContext } from './redis-scripts-model.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A connection that subscribes, as the server sees it. */
export interface Subscriber {
  readonly topics: ReadonlySet<Topic>;
  readonly floors: ReadonlySet<number>;
  update(topic: Topic, signal: string): void;
  floor(partition: number, floor: Version, raise: string): void;
}

/** One Redis process: its data, its clock, who subscribes to it, and who replicates it. */
export class SimulatedServer {
  readonly name: string;
  readonly #clock: Clock;
  readonly #floorRaised: (partition: number, floor: Version) => void;
  readonly #random: SeededRandom;
  readonly subscribers = new Set<Subscriber>();
  /** Told of every change, to replicate it. */
  readonly followers = new Set<(change: (data: RedisData) => void) => void>();
  data = new RedisData();
  /** How far its clock is ahead, in microseconds. */
  clockOffsetUs = 0;
  running = true;
  frozen = false;
  #calls = 0;
  #runId: string;
  #replicationId: string;

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

  /** Goes by the run and the replication of another server. */
  pose(history: string): void {
    [this.#runId = '', this.#replicationId = ''] = history.split('.');
  }

  /** Whether it answers. */
  get answers(): boolean {
    return this.running && !this.frozen;
  }

  get history(): string {
    return `${this.#runId}.${this.#replicationId}`;
  }

  /** `TIME`, which goes on from one call to the next, by less than a millisecond in all. */
  nextNowUs(): number {
    this.#calls += 1;
    return Math.floor(this.#clock.nowMs()) * 1000 + (this.#calls % 1000) + this.clockOffsetUs;
  }

  /** Makes a change here and on whoever follows. */
  write(change: (data: RedisData) => void): void {
    change(this.data);
    for (const follow of this.followers) follow(change);
  }

  /** Where a script runs on this server. */
  context(): ScriptContext {
    return {
      data: this.data,
      nowUs: this.nextNowUs(),
      history: this.history,
      write: (change) => this.write(change),
      signalFloor: (partition, floor, raise) => {
        this.#floorRaised(partition, floor);
        for (const subscriber of this.subscribers) {
          if (subscriber.floors.has(partition)) subscriber.floor(partition, floor, raise);
        }
      },
      signalUpdate: (_partition, topic, version, body) => {
        const signal = encodeSignal(version, body);
        for (const subscriber of this.subscribers) {
          if (subscriber.topics.has(topic)) subscriber.update(topic, signal);
        }
      },
    };
  }

  /** The process ends; its data stay as they are until it starts. */
  kill(): void {
    this.running = false;
    this.frozen = false;
    this.subscribers.clear();
  }

  /** A new process starts with these data: another run, another replication. */
  start(data: RedisData): void {
    this.data = data;
    this.running = true;
    this.#runId = this.#random.id();
    this.#replicationId = this.#random.id();
  }

  /** It was a replica and is a master from now on. */
  promote(): void {
    this.#replicationId = this.#random.id();
  }
}
