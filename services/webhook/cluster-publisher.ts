import type { BrokerPublisher } from '../shared/broker/broker.ts';
import type { Clock, Timer } from '../shared/clock.ts';
import type { Topic } from '../shared/update/topic.ts';
import type { UpdateBody, Version } from '../shared/update/update.ts';
import { PartitionPromises } from './partition-promises.ts';

/** Which version an update of a topic got. */
export interface PublishedTopic {
  readonly topic: Topic;
  readonly version: Version;
}

/** How often a publisher looks whether what it was promised still stands, in milliseconds. */
const WATCH_INTERVAL_MS = 3000;

/**
 * Publishes to the cluster, and remembers of each partition what this process was promised there. Every
 * call carries it along, and so does a digest at every interval: a broker that has forgotten something (the
 * promise was made by a master that was already replaced) finds out, and raises the floor.
 */
export class ClusterPublisher {
  readonly #broker: BrokerPublisher;
  readonly #clock: Clock;
  readonly #promises = new Map<number, PartitionPromises>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { broker: BrokerPublisher; clock: Clock }) {
    this.#broker = deps.broker;
    this.#clock = deps.clock;
  }

  /** Begins to look after what was promised. */
  start(): void {
    this.#timer = this.#clock.after(WATCH_INTERVAL_MS * (0.9 + 0.2 * this.#clock.random()), () => {
      void this.#remind().finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /**
   * Publishes one update of every topic, all with the same body, and answers their versions in the
   * order of the topics. All or error: where one fails (`broker_unavailable`) the call fails, though
   * other topics may have been published; repeating it is harmless.
   */
  async publish(topics: readonly Topic[], body: UpdateBody): Promise<readonly PublishedTopic[]> {
    return Promise.all(topics.map((topic) => this.#publishOne(topic, body)));
  }

  async #publishOne(topic: Topic, body: UpdateBody): Promise<PublishedTopic> {
    const partition = this.#broker.partitionOf(topic);
    const promises = this.#promisesIn(partition);
    const carried = promises.carry();
    const published = await this.#broker.publish(topic, body, carried.witness);
    promises.answered(carried, published, true);
    return { topic, version: published.version };
  }

  /** Shows every partition what this process was promised there; asks for no changes. */
  async #remind(): Promise<void> {
    await Promise.allSettled(
      [...this.#promises].map(async ([partition, promises]) => {
        const carried = promises.carry();
        const { epoch, last } = await this.#broker.digest(partition, carried.witness, Number.MAX_SAFE_INTEGER);
        promises.answered(carried, { epoch, version: last }, false);
      }),
    );
  }

  #promisesIn(partition: number): PartitionPromises {
    const promises = this.#promises.get(partition) ?? new PartitionPromises();
    this.#promises.set(partition, promises);
    return promises;
  }
}
