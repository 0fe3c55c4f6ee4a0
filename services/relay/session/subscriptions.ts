import type { TransportName } from '../../shared/protocol/transport-name.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import type { Subscriber } from '../hub/pending-subscribers.ts';
import type { Connection } from '../transport/transport.ts';
import type { SessionHub, SessionReport } from './session-ports.ts';

/** A subscription that the client has no version of yet. */
interface PendingAcknowledgement {
  /** The client's version; null if it names none. */
  readonly since: Version | null;
  /** By the monotonic clock. */
  readonly subscribedAtMs: number;
  /** Whether the client was sent `null`, since the relay was stale. */
  sentNull: boolean;
}

const NOTHING_PENDING: ReadonlyMap<Topic, PendingAcknowledgement> = new Map();

/**
 * The topics of one client, and which of them are not acknowledged yet. A relay may hold a million of these, most with
 * one topic and nothing pending: the first topic needs no set, and the maps and sets exist only while they have content.
 */
export class Subscriptions implements Iterable<Topic> {
  #first: Topic | undefined;
  #others: Set<Topic> | undefined;
  #pending: Map<Topic, PendingAcknowledgement> | undefined;
  /** Topics with a change of freshness since the last `attach`. */
  #changed: Set<Topic> | undefined;

  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  has(topic: Topic): boolean {
    return this.#first === topic || this.#others?.has(topic) === true;
  }

  *[Symbol.iterator](): Iterator<Topic> {
    if (this.#first !== undefined) yield this.#first;
    if (this.#others) yield* this.#others;
  }

  /**
   * Adds a topic that is to be acknowledged; again if the client has it already. Returns whether the topic is new.
   * @param since the client's version; null if it names none
   * @param subscribedAtMs now, by the monotonic clock
   */
  add(topic: Topic, since: Version | null, subscribedAtMs: number): boolean {
    this.#pending ??= new Map();
    this.#pending.set(topic, { since, subscribedAtMs, sentNull: false });
    if (this.has(topic)) return false;
    if (this.#first === undefined) this.#first = topic;
    else {
      this.#others ??= new Set();
      this.#others.add(topic);
    }
    return true;
  }

  /** Removes a topic. Returns whether the client had it. */
  delete(topic: Topic): boolean {
    this.#changed?.delete(topic);
    this.#acknowledged(topic);
    if (this.#first !== topic) return this.#others?.delete(topic) === true;
    this.#first = undefined;
    return true;
  }

  clear(): void {
    this.#first = undefined;
    this.#others = undefined;
    this.#pending = undefined;
    this.#changed = undefined;
  }

  /** Begins to collect changes without reporting the first one: the caller calls `attach` by itself. */
  expectChanges(): void {
    this.#changed ??= new Set();
  }

  /** Notes that a topic may be acknowledged, or has become stale. Returns whether it is the first: `attach` is due then. */
  noteChange(topic: Topic): boolean {
    const isFirst = this.#changed === undefined;
    this.#changed ??= new Set();
    this.#changed.add(topic);
    return isFirst;
  }

  /** Subscribes the connection to the topics that have changed. Returns whether there was anything to collect. */
  attach(connection: Connection | undefined): boolean {
    const changed = this.#changed;
    this.#changed = undefined;
    if (!connection || !changed) return false;
    for (const topic of changed) connection.subscribe(topic);
    return true;
  }

  /**
   * Sends the versions of all pending topics that are fresh, then the update of each topic of which the client has another
   * version. Returns false if not all fitted: call again once there is room.
   */
  acknowledge(deps: {
    hub: SessionHub;
    report: SessionReport;
    subscriber: Subscriber;
    connection: Connection;
  }): boolean {
    const { hub, report, subscriber, connection } = deps;
    const versions = this.#pendingVersions(hub, subscriber);
    if (versions.size === 0) return true;
    if (!connection.sendSubscribed(versions)) return false;
    for (const [topic, version] of versions) {
      const pending = this.#pending?.get(topic);
      if (!pending) continue;
      if (version === null) {
        pending.sentNull = true;
        continue;
      }
      const update = hub.current(topic);
      // The delivery at the end of this turn includes this client.
      const needsUpdate = !hub.isDeliveryPending(topic) && isOutdated(hub, pending, update, connection.transport);
      if (needsUpdate && !connection.sendUpdate(update)) return false;
      // A client without content fetches anyway: that is no delivery.
      if (needsUpdate && pending.since !== 0) report.sent();
      this.#acknowledged(topic);
    }
    return true;
  }

  /** Returns the versions to send; null for topics that the relay cannot answer for because it is stale. */
  #pendingVersions(hub: SessionHub, subscriber: Subscriber): Map<Topic, Version | null> {
    const versions = new Map<Topic, Version | null>();
    for (const [topic, pending] of this.#pending ?? NOTHING_PENDING) {
      // Again, since the last notification may have come while there was no room.
      hub.awaitFreshness(topic, subscriber);
      if (hub.isFresh(topic)) versions.set(topic, hub.current(topic).version);
      else if (!hub.fresh && !pending.sentNull) versions.set(topic, null);
    }
    return versions;
  }

  #acknowledged(topic: Topic): void {
    if (this.#pending?.delete(topic) && this.#pending.size === 0) this.#pending = undefined;
  }
}

/** Whether a client that subscribed like this has to be sent the current update. */
function isOutdated(
  hub: SessionHub,
  pending: PendingAcknowledgement,
  current: Update,
  transport: TransportName,
): boolean {
  if (pending.since !== null) return pending.since !== current.version;
  // It fetched while the relay was stale, so that a change since then cannot be excluded.
  if (pending.sentNull) return true;
  // Other clients without a version have just fetched their content; a legacy client has a page of unknown age.
  return transport === 'legacy' && hub.mayHaveMissed(current.topic, pending.subscribedAtMs);
}
