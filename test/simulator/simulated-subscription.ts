import type { FeedHandler } from '../../services/shared/broker/broker.ts';
import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { decodeSignal } from '../../services/shared/update/update-codec.ts';
import type { NetworkConditions } from './network-conditions.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedLink } from './simulated-link.ts';
import type { Subscriber } from './simulated-server.ts';
import type { SimulatedShard } from './simulated-shard.ts';

/** A process's subscribing connection to a shard. Its subscriptions end with the connection. */
export class SimulatedSubscription implements Subscriber {
  readonly topics = new Set<Topic>();
  readonly floors = new Set<number>();
  readonly #link: SimulatedLink;
  readonly #partitions: readonly number[];
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #network: NetworkConditions;
  readonly #handler: () => FeedHandler | undefined;
  readonly #receiveQuery: (text: string) => void;
  #dropsSignals = false;
  /** The number of the connection: signals of an earlier one are discarded. */
  #generation = 0;

  constructor(deps: {
    name: string;
    shard: SimulatedShard;
    clock: Clock;
    random: SeededRandom;
    network: NetworkConditions;
    partitions: readonly number[];
    handler: () => FeedHandler | undefined;
    receiveQuery: (text: string) => void;
  }) {
    this.#receiveQuery = deps.receiveQuery;
    this.#partitions = deps.partitions;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#network = deps.network;
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
          this.#clear();
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
    this.#clear();
    this.#link.stop();
  }

  disconnect(): void {
    this.#link.disconnect();
  }

  /** Replaces the connection. Calls `watchesLost` even if there was none. */
  reset(): void {
    if (this.#link.server) this.#link.disconnect();
    else this.#handler()?.watchesLost(this.#partitions);
  }

  dropSignals(): void {
    if (this.#link.server) this.#dropsSignals = true;
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

  /** Failures are harmless: digests contain the floor too. */
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

  floor(partition: number, floor: Version, raiseId: string): void {
    this.#arrive((handler) => handler.raiseFloor(partition, floor, raiseId));
  }

  query(text: string): void {
    this.#arrive(() => this.#receiveQuery(text));
  }

  #clear(): void {
    this.#generation += 1;
    this.#dropsSignals = false;
    this.topics.clear();
    this.floors.clear();
  }

  #arrive(handle: (handler: FeedHandler) => void): void {
    const { latencyMs, signalDelayMs, signalLoss, signalRepeat } = this.#network;
    if (this.#dropsSignals || this.#random.chance(signalLoss)) return;
    const generation = this.#generation;
    for (let times = this.#random.chance(signalRepeat) ? 2 : 1; times > 0; times -= 1) {
      this.#clock.after(1 + this.#random.between(0, latencyMs) + this.#random.between(0, signalDelayMs), () => {
        const handler = this.#handler();
        if (handler && this.#generation === generation) handle(handler);
      });
    }
  }
}
