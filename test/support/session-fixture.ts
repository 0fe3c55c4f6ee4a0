import { PendingSubscribers, type Subscriber } from '../../services/relay/hub/pending-subscribers.ts';
import type { SessionHub, SessionReport } from '../../services/relay/session/session-ports.ts';
import type { Connection } from '../../services/relay/transport/transport.ts';
import type { AppError } from '../../services/shared/errors.ts';
import type { TransportName } from '../../services/shared/protocol/transport-name.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Update, Version } from '../../services/shared/update/update.ts';

/** The version of every topic of the fake hub, unless a test sets another one. */
export const CURRENT_VERSION = 7;

/** A hub whose topics are all at one version, and loaded, and fresh or stale, as the test says. */
export class FakeSessionHub implements SessionHub {
  readonly #pending = new PendingSubscribers();
  flushPosition = 1;
  freshnessFlush = 0;
  /** The topics that sessions are subscribed to. */
  readonly topics: Topic[] = [];
  /** Positions of the last deliveries; 0 for a topic without one. */
  readonly flushes = new Map<Topic, number>();
  /** Topics that are not loaded yet. */
  readonly unloaded = new Set<Topic>();
  /** Topics whose subscribers get an update at the end of this turn. */
  readonly pendingDeliveries = new Set<Topic>();
  fresh = true;
  version = CURRENT_VERSION;
  /** Whether a client without a version may have missed an update, for each topic and time of its subscription. */
  mayHaveMissed: (topic: Topic, subscribedAtMs: number) => boolean = () => false;

  subscribe(topic: Topic): void {
    this.topics.push(topic);
  }
  unsubscribe(topic: Topic, subscriber: Subscriber): void {
    this.#pending.remove(topic, subscriber);
    this.topics.splice(this.topics.indexOf(topic), 1);
  }
  hasRoom = (topic: Topic, maxTopics: number) => this.topics.includes(topic) || this.topics.length < maxTopics;
  isFresh = (topic: Topic) => this.fresh && !this.unloaded.has(topic);
  flushOf = (topic: Topic) => this.flushes.get(topic) ?? 0;
  isDeliveryPending = (topic: Topic) => this.pendingDeliveries.has(topic);
  current = (topic: Topic) => ({ topic, version: this.version });

  awaitFreshness(topic: Topic, subscriber: Subscriber): void {
    if (!this.isFresh(topic)) this.#pending.add(topic, subscriber);
  }

  load(topic: Topic): void {
    this.unloaded.delete(topic);
    this.#pending.notify(topic, true);
  }

  becomes(fresh: boolean): void {
    this.fresh = fresh;
    for (const topic of this.#pending.topics) this.#pending.notify(topic, fresh);
  }
}

/** A client's connection that notes what it was sent. While `room` is false, nothing fits. */
export class FakeSessionConnection implements Connection {
  readonly transport: TransportName;
  acceptsMessages = true;
  bufferedBytes = 0;
  /** The topics whose deliveries include this connection. */
  readonly topics = new Set<Topic>();

  get supportsSpread() {
    return this.transport !== 'legacy';
  }

  readonly sent: string[] = [];
  /** Reasons with which it was closed. */
  readonly reasons: string[] = [];
  room = true;

  constructor(transport: TransportName = 'websocket') {
    this.transport = transport;
  }

  subscribe(topic: Topic): void {
    this.topics.add(topic);
  }
  unsubscribe(topic: Topic): void {
    this.topics.delete(topic);
  }
  close(code: number, reason: string): void {
    this.sent.push(`close ${code}`);
    this.reasons.push(reason);
  }
  sendSubscribed = (versions: ReadonlyMap<Topic, Version | null>) => this.#send(`subscribed ${[...versions]}`);
  sendUpdate = ({ topic, version }: { topic: Topic; version: Version }) => this.#send(`update ${topic} ${version}`);
  sendFreshness = (fresh: boolean) => this.#send(`fresh ${fresh}`);
  sendPong = () => this.#send('pong');
  sendError = (code: string) => this.#send(`error ${code}`);

  #send(what: string): boolean {
    if (this.room) this.sent.push(what);
    return this.room;
  }
}

/** Takes the events of sessions, and counts those that tests look at. */
export class FakeSessionReport implements SessionReport {
  sends = 0;
  timesBehind = 0;
  /** Topics of updates that were sent late. */
  readonly late: Topic[] = [];
  /** Other events, in their order. */
  readonly events: string[] = [];

  fellBehind(): void {
    this.timesBehind += 1;
  }
  caughtUp(): void {
    this.events.push('caught up');
  }
  bufferDrained(): void {
    this.events.push('buffer drained');
  }
  ended(): void {
    this.events.push('ended');
  }
  sent(): void {
    this.sends += 1;
  }
  sentPaced(): void {
    this.sends += 1;
  }
  sentLate({ topic }: Update): void {
    this.late.push(topic);
  }
  refused({ code }: AppError): void {
    this.events.push(`refused ${code}`);
  }
}
