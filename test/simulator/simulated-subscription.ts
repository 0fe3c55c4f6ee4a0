import type { FeedHandler, SignalProof } from '../../services/shared/broker/broker.ts';
import type { Clock } from '../../services/shared/clock.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';
import { decodeSignal } from '../../services/shared/update/update-codec.ts';
import type { NetworkConditions } from './network-conditions.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedLink } from './simulated-link.ts';
import type { Subscriber } from './simulated-server.ts';
import type { SimulatedShard } from './simulated-shard.ts';

/** A marker that a probe is to publish, as in `RedisSubscriberConnection`. */
interface Marker {
  readonly channel: string;
  readonly text: string;
  /** The run id of the server of the connection. */
  readonly runId: string;
  arrival(waitMs: number): Promise<SignalProof>;
}

/**
 * A process's subscribing connection to a shard. Its subscriptions end with the connection. Signals arrive in the order in
 * which they were published, and if one is lost, so are all that follow. Only repetitions come later.
 */
export class SimulatedSubscription implements Subscriber {
  /** The topics that the server has subscriptions of. */
  readonly topics = new Set<Topic>();
  /** The topics that it has acknowledged, and those that it may have. */
  readonly #acknowledged = new Set<Topic>();
  readonly #uncertain = new Set<Topic>();
  /** Topics whose signals are lost although the server has their subscriptions. */
  readonly #muted = new Set<Topic>();
  readonly floors = new Set<number>();
  readonly #link: SimulatedLink;
  readonly #partitions: readonly number[];
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #network: NetworkConditions;
  readonly #handler: () => FeedHandler | undefined;
  readonly #receiveQuery: (text: string) => void;
  readonly #numbersMarkers: boolean;
  #dropsSignals = false;
  /** The number of the connection: signals of an earlier one are discarded. */
  #generation = 0;
  #arrivedUntilMs = 0;
  #markerChannel: string | undefined;
  #markers = 0;
  readonly #awaited = new Map<string, () => void>();
  #overdue: string | undefined;

  constructor(deps: {
    name: string;
    shard: SimulatedShard;
    clock: Clock;
    random: SeededRandom;
    network: NetworkConditions;
    partitions: readonly number[];
    handler: () => FeedHandler | undefined;
    receiveQuery: (text: string) => void;
    /** Whether a marker counts only for its own probe. */
    numbersMarkers: boolean;
  }) {
    this.#numbersMarkers = deps.numbersMarkers;
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
          this.#subscribeMarkers();
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
    return this.#change(topics, (topic) => {
      this.topics.add(topic);
      this.#acknowledged.add(topic);
    });
  }

  unsubscribe(topics: readonly Topic[]): Promise<void> {
    return this.#change(topics, (topic) => {
      this.topics.delete(topic);
      this.#acknowledged.delete(topic);
      this.#muted.delete(topic);
    });
  }

  /** Makes the server forget the subscriptions of topics, without a notice. */
  forget(topics: readonly Topic[]): void {
    for (const topic of topics) this.topics.delete(topic);
  }

  /** Drops the signals of topics, until the connection or their subscriptions are replaced. */
  mute(topics: readonly Topic[]): void {
    for (const topic of topics) if (this.topics.has(topic)) this.#muted.add(topic);
  }

  /** Returns a marker for a probe to publish; undefined if it could not arrive. */
  createMarker(): Marker | undefined {
    const { server } = this.#link;
    const channel = this.#markerChannel;
    if (!server || channel === undefined) return undefined;
    this.#markers += 1;
    const text = String(this.#markers);
    const isOverdue = this.#overdue !== undefined;
    const arrived = new Promise<void>((resolve) => this.#awaited.set(text, resolve));
    const counted = this.#link.call(() => this.#count()).catch((): SignalProof => 'unproven');
    const generation = this.#generation;
    return {
      channel,
      text,
      runId: server.identity.runId,
      arrival: async (waitMs) => {
        const late = new Promise<undefined>((resolve) => this.#clock.after(waitMs, () => resolve(undefined)));
        const proof = isOverdue ? 'lost' : await Promise.race([arrived.then(() => counted), late]);
        this.#awaited.delete(text);
        if (proof === undefined && this.#generation === generation) this.#overdue = text;
        return proof ?? 'unproven';
      },
    };
  }

  /** Failures are harmless: digests contain the floor too. */
  subscribeFloors(): void {
    this.#link
      .call(() => {
        for (const partition of this.#partitions) this.floors.add(partition);
      })
      .catch(() => {});
  }

  get markerChannel(): string | undefined {
    return this.#markerChannel;
  }

  marker(text: string): void {
    this.#arrive(() => {
      if (this.#overdue === text) this.#overdue = undefined;
      if (this.#numbersMarkers) this.#awaited.get(text)?.();
      else for (const arrived of this.#awaited.values()) arrived();
    });
  }

  update(topic: Topic, signal: string): void {
    if (this.#muted.has(topic)) return;
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

  async #change(topics: readonly Topic[], change: (topic: Topic) => void): Promise<void> {
    const generation = this.#generation;
    try {
      await this.#link.call(() => {
        for (const topic of topics) {
          change(topic);
          this.#uncertain.delete(topic);
        }
      });
    } catch (error) {
      if (this.#generation === generation) for (const topic of topics) this.#uncertain.add(topic);
      throw error;
    }
  }

  #subscribeMarkers(): void {
    const channel = `${this.#link.name} ${this.#generation}`;
    this.#link
      .call(() => {
        this.#markerChannel = channel;
      })
      .catch(() => this.#link.server && this.#subscribeMarkers());
  }

  /** Compares the topics that the server counts with those that it has acknowledged. */
  #count(): SignalProof {
    if (this.topics.size < this.#acknowledged.size) return 'lost';
    return this.#uncertain.size > 0 ? 'unproven' : 'complete';
  }

  #clear(): void {
    this.#generation += 1;
    this.#dropsSignals = false;
    this.topics.clear();
    this.#acknowledged.clear();
    this.#uncertain.clear();
    this.#muted.clear();
    this.floors.clear();
    this.#markerChannel = undefined;
    this.#awaited.clear();
    this.#overdue = undefined;
  }

  #arrive(handle: (handler: FeedHandler) => void): void {
    const { latencyMs, signalDelayMs, signalLoss, signalRepeat } = this.#network;
    this.#dropsSignals ||= this.#random.chance(signalLoss);
    if (this.#dropsSignals) return;
    const generation = this.#generation;
    const nowMs = this.#clock.monotonicMs();
    const delayMs = () => 1 + this.#random.between(0, latencyMs) + this.#random.between(0, signalDelayMs);
    const arrive = () => {
      const handler = this.#handler();
      if (handler && this.#generation === generation) handle(handler);
    };
    this.#arrivedUntilMs = Math.max(this.#arrivedUntilMs, nowMs + delayMs());
    this.#clock.after(this.#arrivedUntilMs - nowMs, arrive);
    if (this.#random.chance(signalRepeat)) this.#clock.after(this.#arrivedUntilMs - nowMs + delayMs(), arrive);
  }
}
