import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { parseClientMessage } from '../../shared/protocol/client-message.ts';
import { CLOSE_CODES, type CloseCode } from '../../shared/protocol/close-codes.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';
import type { Authorization } from '../access/authorization.ts';
import type { FlushPosition } from '../hub/flushes.ts';
import type { Subscriber } from '../hub/pending-subscribers.ts';
import type { Connection, ConnectionOwner, ConnectRequest } from '../transport/transport.ts';
import { Backlog } from './backlog.ts';
import { MessageBudget, type SessionLimits } from './limits.ts';
import { closeFor, SessionAccess } from './session-access.ts';
import type { BufferedClient, SessionHub, SessionReport } from './session-ports.ts';
import { Subscriptions } from './subscriptions.ts';

/** What all sessions of a relay share. */
export interface SessionDeps {
  readonly hub: SessionHub;
  readonly clock: Clock;
  readonly limits: SessionLimits;
  /** undefined if every client may subscribe to every topic. */
  readonly authorization: Authorization | undefined;
  /** Returns whether a client may subscribe to this number of topics now, and charges them. By default there is no limit. */
  readonly admitTopics?: (topics: number) => boolean;
  readonly report: SessionReport;
}

/** The collection that a session belongs to. */
export interface SessionOwner {
  closed(session: Session): void;
  /** The sessions that are behind. */
  readonly behind: Set<Session>;
  /** The sessions that need a token and have presented none, oldest first. */
  readonly tokenless: Set<Session>;
}

/**
 * One client, from `open` until `closed`: dispatches its messages and the events of its connection to its subscriptions,
 * its backlog and its access. Never throws for what a client does: the client gets an error message, or is closed.
 */
export class Session implements Subscriber, ConnectionOwner, BufferedClient {
  readonly #deps: SessionDeps & SessionOwner;
  readonly #subscriptions = new Subscriptions();
  #connection: Connection | undefined;
  #budget: MessageBudget | undefined;
  /** Exists while the client is behind. */
  #backlog: Backlog | undefined;
  #subscribedFrom: FlushPosition = 0;
  /** Exists if the relay checks tokens. */
  #access: SessionAccess | undefined;

  constructor(deps: SessionDeps & SessionOwner) {
    this.#deps = deps;
  }

  /** Takes over a new connection, and subscribes to the topics of its request. Called once, before everything else. */
  open(connection: Connection, { topics, token }: ConnectRequest): void {
    const { hub, authorization } = this.#deps;
    this.#connection = connection;
    const { fresh } = hub;
    if (!fresh) this.#check(connection.sendFreshness(false));
    if (authorization) this.#openAccess(authorization, token, connection.acceptsMessages);
    // On a fresh relay, versions leave together with the response to the handshake.
    if (fresh) this.#subscriptions.expectChanges();
    this.#try(() => this.#subscribe(topics));
    if (fresh) this.#acknowledgeChanges();
    // A client that subscribes by its URL only would wait forever.
    if (topics.size > 0 && this.#subscriptions.size === 0 && !this.#access?.pending) this.#closeWithoutTopics();
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  get topics(): Iterable<Topic> {
    return this.#subscriptions;
  }

  get supportsSpread(): boolean {
    return this.#connection?.supportsSpread === true;
  }

  get subscribedFrom(): FlushPosition {
    return this.#subscribedFrom;
  }

  get bufferedBytes(): number {
    return this.#connection?.bufferedBytes ?? 0;
  }

  get isBehind(): boolean {
    return this.#backlog !== undefined;
  }

  /**
   * Whether the client misses the last delivery of a topic.
   * @param since the first position that it may miss; by default that of its backlog
   */
  isBehindOn(topic: Topic, since = this.#backlog?.since): boolean {
    return since !== undefined && this.#subscriptions.has(topic) && this.#deps.hub.flushOf(topic) >= since;
  }

  message(text: string): void {
    this.#try(() => {
      if (!this.#spend(1)) return;
      const message = parseClientMessage(text);
      switch (message.type) {
        case 'subscribe':
          if (this.#spend(message.topics.size - 1)) this.#subscribe(message.topics, this.#deps.admitTopics);
          break;
        case 'unsubscribe':
          for (const topic of message.topics) this.#unsubscribe(topic);
          break;
        case 'ping':
          this.#check(this.#connection?.sendPong());
          break;
        case 'auth':
          this.#deps.tokenless.delete(this);
          this.#access?.present(message.token);
          break;
      }
    });
  }

  alive(): void {
    this.#spend(1);
  }

  isFresh(topic: Topic): boolean {
    return this.#deps.hub.isFresh(topic);
  }

  closed(): void {
    const { hub, report, behind, closed } = this.#deps;
    if (this.#backlog) report.caughtUp(this);
    report.ended(this);
    this.#connection = undefined;
    this.#access?.stop();
    this.#backlog = undefined;
    behind.delete(this);
    for (const topic of this.#subscriptions) hub.unsubscribe(topic, this);
    this.#subscriptions.clear();
    closed(this);
  }

  freshnessChanged(topic: Topic): void {
    if (this.#subscriptions.noteChange(topic)) this.#deps.clock.atTurnEnd(() => this.#acknowledgeChanges());
  }

  /** @param since the first position that the client may miss */
  fellBehind(since = this.#deps.hub.flushPosition): void {
    if (!this.#connection) return;
    if (this.#backlog) return void this.#backlog.extend(since);
    this.#backlog = new Backlog(since);
    this.#deps.behind.add(this);
    this.#deps.report.fellBehind(this, since);
  }

  drained(): void {
    this.#sendBacklog();
    if (this.#connection && !this.#backlog) this.#deps.report.bufferDrained(this);
  }

  /** Sends the updates since `since` that pacing withheld from this client. */
  sendSince(since: FlushPosition): void {
    const { hub, report } = this.#deps;
    if (!this.#connection) return;
    if (this.#backlog) {
      this.#backlog.extend(since);
      this.drained();
      return;
    }
    const withheld = new Backlog(since);
    const sent = withheld.sendUpdates({ hub, report, topics: this.#subscriptions, connection: this.#connection });
    if (!sent) this.fellBehind(withheld.since);
  }

  /** Refuses a request of the client. Returns false if the error message did not fit. */
  refuse(refusal: AppError, topic?: Topic): boolean {
    this.#deps.report.refused(refusal);
    return this.#check(this.#connection?.sendError(refusal.code, topic));
  }

  /** Sends an error, then closes the connection with the close code that belongs to it. */
  end(reason: AppError): void {
    this.refuse(reason);
    this.close(...closeFor(reason.code));
  }

  /** Closes the connection; `closed` follows, perhaps before this returns. */
  close(code: CloseCode, reason: string): void {
    this.#connection?.close(code, reason);
  }

  /** Sends what the client misses: freshness and acknowledgements first, then updates. */
  #sendBacklog(): void {
    const connection = this.#connection;
    const backlog = this.#backlog;
    const { hub, report, behind } = this.#deps;
    if (!connection || !backlog) return;
    if (!backlog.sendFreshness(hub, connection)) return;
    if (!this.#acknowledge(connection)) return;
    if (!backlog.sendUpdates({ hub, report, topics: this.#subscriptions, connection })) return;
    this.#backlog = undefined;
    behind.delete(this);
    report.caughtUp(this);
  }

  #openAccess(authorization: Authorization, token: string | undefined, canWait: boolean): void {
    this.#access = new SessionAccess({
      authorization,
      clock: this.#deps.clock,
      handler: {
        changed: () => this.#accessChanged(),
        ended: (reason) => this.end(reason),
        kept: (reason) => this.refuse(reason),
      },
    });
    this.#access.open(token, { canWait });
    if (token === undefined && this.#access.pending && this.#connection) this.#deps.tokenless.add(this);
  }

  /** Takes the result of a send: what did not fit is sent once there is room. */
  #check(sent: boolean | undefined): boolean {
    if (sent === false) this.fellBehind();
    return sent !== false;
  }

  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#refuseOrClose(error);
    }
  }

  /**
   * Refuses a request, or closes the connection if the error does not fit: the client would take silence for "no update".
   * It gets the reason when it reconnects. Returns false if it was closed.
   */
  #refuseOrClose(refusal: AppError, topic?: Topic): boolean {
    if (this.refuse(refusal, topic)) return true;
    this.close(CLOSE_CODES.drain, '0');
    return false;
  }

  #spend(cost: number): boolean {
    if (!this.#connection) return false;
    this.#budget ??= new MessageBudget(this.#deps.limits);
    if (this.#budget.take(this.#deps.clock.monotonicMs(), cost)) return true;
    this.end(new AppError('too_fast'));
    return false;
  }

  /**
   * @param admit charges the topics; by default they are charged already
   * @throws {AppError} `too_many_topics`
   */
  #subscribe(topics: ReadonlyMap<Topic, Version | null>, admit: SessionDeps['admitTopics'] = () => true): void {
    const { hub, clock, limits } = this.#deps;
    const subscriptions = this.#subscriptions;
    const access = this.#access;
    const held = [...topics.keys()].filter((topic) => subscriptions.has(topic) || access?.deferred.has(topic)).length;
    const total = subscriptions.size + (access?.deferred.size ?? 0) + topics.size - held;
    if (total > limits.maxTopics) throw new AppError('too_many_topics');
    if (!admit(topics.size - held)) return void this.end(new AppError('connecting_too_fast'));
    if (access?.pending) return void access.defer(topics);
    this.#subscribedFrom = hub.flushPosition;
    for (const [topic, since] of topics) {
      const refusal = access?.refusal(topic);
      if (refusal) {
        if (!this.#refuseOrClose(new AppError(refusal), topic)) return;
        continue;
      }
      if (!hub.hasRoom(topic, limits.maxRelayTopics)) return void this.end(new AppError('relay_full'));
      if (subscriptions.add(topic, since, clock.monotonicMs())) hub.subscribe(topic);
      hub.awaitFreshness(topic, this);
      if (hub.isFresh(topic) || !hub.fresh) this.freshnessChanged(topic);
    }
  }

  #unsubscribe(topic: Topic): void {
    this.#access?.withdraw(topic);
    if (!this.#subscriptions.delete(topic)) return;
    this.#connection?.unsubscribe(topic);
    this.#deps.hub.unsubscribe(topic, this);
  }

  /** Removes the topics that the client may not subscribe to any more, and adds those that waited for its token. */
  #accessChanged(): void {
    const deferred = this.#access?.takeDeferred();
    // A client that has not subscribed to anything yet may do so next.
    const hadTopics = this.#subscriptions.size > 0 || deferred !== undefined;
    for (const topic of [...this.#subscriptions]) {
      const refusal = this.#access?.refusal(topic);
      if (!refusal) continue;
      this.#unsubscribe(topic);
      if (!this.#refuseOrClose(new AppError(refusal), topic)) return;
    }
    if (deferred) this.#try(() => this.#subscribe(deferred));
    if (hadTopics && this.#subscriptions.size === 0) this.#closeWithoutTopics();
  }

  #closeWithoutTopics(): void {
    this.close(...closeFor(this.#access?.hasToken ? 'topic_forbidden' : 'unauthorized'));
  }

  #acknowledgeChanges(): void {
    if (!this.#subscriptions.attach(this.#connection) || !this.#connection) return;
    if (!this.#backlog && !this.#acknowledge(this.#connection)) this.fellBehind();
  }

  #acknowledge(connection: Connection): boolean {
    const { hub, report } = this.#deps;
    return this.#subscriptions.acknowledge({ hub, report, subscriber: this, connection });
  }
}
