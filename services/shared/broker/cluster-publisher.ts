import type { Clock, Timer } from '../process/clock.ts';
import type { Topic } from '../update/topic.ts';
import type { UpdateBody, Version } from '../update/update.ts';
import type { Published, Publishing, Witness } from './broker.ts';

/** Which version an update of a topic got. */
export interface PublishedTopic {
  readonly topic: Topic;
  readonly version: Version;
}

/** How often a publisher looks whether what it was promised still stands, in milliseconds. */
export const WATCH_INTERVAL_MS = 3000;

const NOTHING_SEEN: Witness = Object.freeze({ history: '', version: 0 });

/**
 * Publishes to the cluster, and remembers of each partition what this process was promised there. Every
 * call carries it along, and so does a digest at every interval: a broker that has forgotten something (the
 * promise was made by a master that was already replaced) finds out, and raises the floor.
 */
export class ClusterPublisher {
  readonly #broker: Publishing;
  readonly #clock: Clock;
  readonly #witnesses = new Map<number, Witness>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { broker: Publishing; clock: Clock }) {
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
    const witness = this.#witnessOf(partition);
    const published = await this.#broker.publish(topic, body, witness);
    this.#remember(partition, witness, { ...published, promised: true });
    return { topic, version: published.version };
  }

  /** Shows every partition what this process was promised there; asks for no changes. */
  async #remind(): Promise<void> {
    await Promise.allSettled(
      [...this.#witnesses].map(async ([partition, witness]) => {
        const { history, last } = await this.#broker.digest(partition, witness, Number.MAX_SAFE_INTEGER);
        this.#remember(partition, witness, { history, version: last, promised: false });
      }),
    );
  }

  #witnessOf(partition: number): Witness {
    return this.#witnesses.get(partition) ?? NOTHING_SEEN;
  }

  /** An answer settles the promises that its call carried along, and none that was made meanwhile. */
  #remember(partition: number, carried: Witness, answer: Published & { readonly promised: boolean }): void {
    const now = this.#witnessOf(partition);
    const version = Math.max(now.version, answer.version);
    const promised = now.promised === true && (now !== carried || now.history === answer.history);
    // Promises under two histories: whichever the broker has, the other one is to be dealt with.
    const history = promised && now.history !== answer.history ? `${now.history} ${answer.history}` : answer.history;
    this.#witnesses.set(partition, { history, version, promised: promised || answer.promised });
  }
}
