import type { FeedHandler } from '../../services/shared/broker/broker.ts';
import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { decodeSignal } from '../../services/shared/update/update-codec.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedLink } from './simulated-link.ts';
import type { Subscriber } from './simulated-server.ts';
import type { SimulatedShard } from './simulated-shard.ts';
import type { Weather } from './weather.ts';

/** A process's subscribing connection to a shard. What it subscribed to is forgotten with the connection. */
export class SimulatedSubscription implements Subscriber {
  readonly topics = new Set<Topic>();
  readonly floors = new Set<number>();
  readonly #link: SimulatedLink;
  readonly #partitions: readonly number[];
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #weather: Weather;
  readonly #handler: () => FeedHandler | undefined;
  #deaf = false;
  /** Counts the connections: signals of an earlier one reach nobody. */
  #generation = 0;

  constructor(deps: {
    name: string;
    shard: SimulatedShard;
    clock: Clock;
    random: SeededRandom;
    weather: Weather;
    partitions: readonly number[];
    handler: () => FeedHandler | undefined;
  }) {
    this.#partitions = deps.partitions;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#weather = deps.weather;
    this.#handler = deps.handler;
    this.#link = new SimulatedLink({
      ...deps,
      handler: {
        up: (server) => {
          server.subscribers.add(this);
          this.subscribeFloors();
          this.#handler()?.linkUp();
        },
        down: (server) => {
          server.subscribers.delete(this);
          this.#forget();
          this.#handler()?.watchesLost(this.#partitions);
        },
      },
    });
  }

  start(): void {
    this.#link.connect();
  }

  stop(): void {
    this.#link.server?.subscribers.delete(this);
    this.#forget();
    this.#link.stop();
  }

  cut(): void {
    this.#link.cut();
  }

  /** Gives the connection up; `watchesLost` is told, also where there was none. */
  renew(): void {
    if (this.#link.server) this.#link.cut();
    else this.#handler()?.watchesLost(this.#partitions);
  }

  deafen(): void {
    if (this.#link.server) this.#deaf = true;
  }

  subscribe(topics: readonly Topic[]): Promise<void> {
    return this.#link.call(() => {
      for (const topic of topics) this.topics.add(topic);
    });
  }

  unsubscribe(topics: readonly Topic[]): Promise<void> {
    return this.#link.call(() => {
      for (const topic of topics) this.topics.delete(topic);
    });
  }

  /** A failure harms nothing: digests bring every floor too. */
  subscribeFloors(): void {
    this.#link
      .call(() => {
        for (const partition of this.#partitions) this.floors.add(partition);
      })
      .catch(() => {});
  }

  update(topic: Topic, signal: string): void {
    this.#arrive((handler) => {
      const update = decodeSignal(topic, signal);
      if (update) handler.deliver(update);
    });
  }

  floor(partition: number, floor: Version, raise: string): void {
    this.#arrive((handler) => handler.raiseFloor(partition, floor, raise));
  }

  #forget(): void {
    this.#generation += 1;
    this.#deaf = false;
    this.topics.clear();
    this.floors.clear();
  }

  #arrive(tell: (handler: FeedHandler) => void): void {
    const { latencyMs, signalDelayMs, signalLoss, signalRepeat } = this.#weather;
    if (this.#deaf || this.#random.chance(signalLoss)) return;
    const generation = this.#generation;
    for (let times = this.#random.chance(signalRepeat) ? 2 : 1; times > 0; times -= 1) {
      this.#clock.after(1 + this.#random.between(0, latencyMs) + this.#random.between(0, signalDelayMs), () => {
        const handler = this.#handler();
        if (handler && this.#generation === generation) tell(handler);
      });
    }
  }
}
