import type { AppError } from '../../shared/errors.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update } from '../../shared/update/update.ts';
import type { FlushPosition } from '../hub/flushes.ts';
import type { Subscriber } from '../hub/pending-subscribers.ts';

/** What sessions need of the hub. */
export interface SessionHub {
  /** Whether this relay's registers are proven current. */
  readonly fresh: boolean;
  /** Position from which a client that falls behind now may have missed deliveries. */
  readonly flushPosition: FlushPosition;
  /** Position of the last change of freshness. */
  readonly freshnessFlush: FlushPosition;
  /** Whether the topic has a register here, or may get one without exceeding `maxTopics`. */
  hasRoom(topic: Topic, maxTopics: number): boolean;
  /** Adds a subscriber: from now on the topic's register is loaded and kept current. */
  subscribe(topic: Topic): void;
  /** Removes a subscriber; must follow a `subscribe`. */
  unsubscribe(topic: Topic, subscriber: Subscriber): void;
  /** Notifies the subscriber once the topic is fresh, and each time that the relay becomes stale before. No effect on a fresh topic. */
  awaitFreshness(topic: Topic, subscriber: Subscriber): void;
  /** Whether the topic's register is loaded and proven current. */
  isFresh(topic: Topic): boolean;
  /** Returns the topic's newest update under its current version; only current while the topic is fresh. */
  current(topic: Topic): Update;
  /**
   * Whether a client that cannot name its version may have missed an update or a floor raise on its way here.
   * @param subscribedAtMs by the monotonic clock
   */
  mayHaveMissed(topic: Topic, subscribedAtMs: number): boolean;
  /** Whether the topic's subscribers get an update at the end of this turn. */
  isDeliveryPending(topic: Topic): boolean;
  /** Returns the position of the topic's last delivery; 0 if it has had none. */
  flushOf(topic: Topic): FlushPosition;
}

/** A client, as telemetry tracks it while it reads more slowly than updates are delivered. */
export interface BufferedClient {
  readonly topics: Iterable<Topic>;
  /** Whether the client spreads its refetch by itself. If not, paced deliveries leave it out. */
  readonly supportsSpread: boolean;
  /** Its last subscription came after all deliveries before this position. */
  readonly subscribedFrom: FlushPosition;
  /** Bytes that wait in the buffer of its connection. */
  readonly bufferedBytes: number;
}

/** Events of sessions, for telemetry. */
export interface SessionReport {
  /** A client misses updates from `since` on. */
  fellBehind(client: BufferedClient, since: FlushPosition): void;
  /** A client that was behind was sent all its updates, or is gone. */
  caughtUp(client: BufferedClient): void;
  /** A client that is not behind has read some of what waited for it. */
  bufferDrained(client: BufferedClient): void;
  /** A client is gone. */
  ended(client: BufferedClient): void;
  /** An update was sent to a client that its delivery did not count, because the client came back. */
  sent(): void;
  /** An update was sent to a client that its delivery left out, because the client cannot spread its refetch. */
  sentPaced(): void;
  /** An update was sent to a client that was behind. */
  sentLate(update: Update): void;
  /** A request of a client, or the client itself, was refused. */
  refused(refusal: AppError): void;
}
