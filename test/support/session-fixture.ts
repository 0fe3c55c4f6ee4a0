import { PendingSubscribers, type Subscriber } from '../../services/relay/hub/pending-subscribers.ts';
import type { SessionHub, SessionReport } from '../../services/relay/session/session-ports.ts';
import type { Connection } from '../../services/relay/transport/transport.ts';
import type { TransportName } from '../../services/shared/protocol/transport-name.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import type { Version } from '../../services/shared/update/update.ts';

/** The version of every topic of the fake hub, unless a test sets another one. */
export const CURRENT_VERSION = 7;

/** A hub whose topics are all loaded, at one version, and fresh or stale as the test says. */
export class FakeSessionHub implements SessionHub {
  readonly #pending = new PendingSubscribers();
  readonly flushPosition = 1;
  readonly freshnessFlush = 0;
  fresh = true;
  version = CURRENT_VERSION;
  /** Whether a client without a version may have missed an update, for each topic and time of its subscription. */
  mayHaveMissed: (topic: Topic, subscribedAtMs: number) => boolean = () => false;

  subscribe(): void {}
  unsubscribe(): void {}
  hasRoom = () => true;
  isFresh = () => this.fresh;
  flushOf = () => 0;
  isDeliveryPending = () => false;
  current = (topic: Topic) => ({ topic, version: this.version });

  awaitFreshness(topic: Topic, subscriber: Subscriber): void {
    if (!this.fresh) this.#pending.add(topic, subscriber);
  }

  becomes(fresh: boolean): void {
    this.fresh = fresh;
    for (const topic of this.#pending.topics) this.#pending.notify(topic, fresh);
  }
}

/** A client's connection that notes what it was sent. While `room` is false, nothing fits. */
export class FakeSessionConnection implements Connection {
  readonly transport: TransportName;
  readonly acceptsMessages = true;
  readonly bufferedBytes = 0;

  get supportsSpread() {
    return this.transport !== 'legacy';
  }

  readonly sent: string[] = [];
  room = true;

  constructor(transport: TransportName = 'websocket') {
    this.transport = transport;
  }

  subscribe(): void {}
  unsubscribe(): void {}
  close(code: number): void {
    this.sent.push(`close ${code}`);
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

  fellBehind(): void {
    this.timesBehind += 1;
  }
  caughtUp(): void {}
  bufferDrained(): void {}
  ended(): void {}
  sent(): void {
    this.sends += 1;
  }
  sentPaced(): void {
    this.sends += 1;
  }
  sentLate(): void {}
  refused(): void {}
}
