import type { Topic } from '../update/topic.ts';
import type { UpdateBody, Version } from '../update/update.ts';
import type { Published, Publishing, Witness } from './broker.ts';

/** Which version an update of a topic got. */
export interface PublishedTopic {
  readonly topic: Topic;
  readonly version: Version;
}

const NOTHING_SEEN: Witness = Object.freeze({ history: '', version: 0 });

/**
 * Publishes to the cluster, and remembers of each partition what this process was promised there: every
 * call carries it along, so that a broker that has forgotten something finds out.
 */
export class ClusterPublisher {
  readonly #broker: Publishing;
  readonly #witnesses = new Map<number, Witness>();

  constructor(deps: { broker: Publishing }) {
    this.#broker = deps.broker;
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
    const published = await this.#broker.publish(topic, body, this.#witnesses.get(partition) ?? NOTHING_SEEN);
    this.#remember(partition, published);
    return { topic, version: published.version };
  }

  /** Answers may overtake each other; the highest version is of the newest history, since floors lift it. */
  #remember(partition: number, { history, version }: Published): void {
    const seen = this.#witnesses.get(partition);
    if (seen === undefined || version > seen.version) this.#witnesses.set(partition, { history, version });
  }
}
