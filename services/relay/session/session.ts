import { AppError } from '../../shared/errors.ts';
import { parseClientMessage } from '../../shared/protocol/client-message.ts';
import { CLOSE_CODES, type CloseCode } from '../../shared/protocol/close-codes.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';
import type { Subscriber } from '../hub/pending-subscribers.ts';
import type { Connection, ConnectionOwner, ConnectRequest } from '../transport/transport.ts';
import { MessageBudget } from './limits.ts';
import { sendMissed } from './send-missed.ts';
import { sendOwedNumbers } from './send-owed-numbers.ts';
import { goodbyeFor, SessionAccess } from './session-access.ts';
import type { SessionDeps, SessionOwner } from './session-deps.ts';
import { SessionTopics } from './session-topics.ts';

/** One client's subscriptions: what it is told, and when it is behind. */
export class Session implements Subscriber, ConnectionOwner {
  readonly #deps: SessionDeps & SessionOwner<Session>;
  readonly #topics = new SessionTopics();
  #connection: Connection | undefined;
  #budget: MessageBudget | undefined;
  #toAnswer: Set<Topic> | undefined;
  /** Where it fell behind, as a mark of the hub. */
  #behind: number | undefined;
  #access: SessionAccess | undefined;
  /** What was asked for before it was known what may be listened to. */
  #wanted: Map<Topic, Version | null> | undefined;

  constructor(deps: SessionDeps & SessionOwner<Session>) {
    this.#deps = deps;
  }

  /** Takes the line over. The session has none before this and after `closed`. */
  open(connection: Connection, { topics, token }: ConnectRequest): void {
    const { hub, clock, authorization } = this.#deps;
    this.#connection = connection;
    if (!hub.fresh) this.#tell(connection.sendFreshness(false));
    if (authorization) {
      this.#access = new SessionAccess({
        authorization,
        clock,
        handler: {
          changed: () => this.#accessChanged(),
          ended: (reason) => this.end(reason),
          kept: (reason) => this.refuse(reason),
        },
      });
      this.#access.open(token, { canWait: connection.acceptsMessages });
      if (token === undefined && this.#access.pending && this.#connection) this.#deps.tokenless.add(this);
    }
    // Where topics can be vouched for, their numbers go out together with the answer to the handshake.
    if (hub.fresh) this.#toAnswer = new Set();
    this.#try(() => this.#subscribe(topics));
    if (hub.fresh) this.#sendAnswers();
    // Whoever only listens by its URL would wait for ever.
    if (topics.size > 0 && this.#topics.size === 0 && !this.#access?.pending) this.#endWithoutTopics();
  }

  get isBehind(): boolean {
    return this.#behind !== undefined;
  }

  /** Whether it is still to be told the newest of a topic: since the mark, or since it fell behind. */
  isBehindOn(topic: Topic, mark = this.#behind): boolean {
    return mark !== undefined && this.#topics.has(topic) && this.#deps.hub.flushOf(topic) >= mark;
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  close(code: CloseCode, reason: string): void {
    this.#connection?.close(code, reason);
  }

  message(text: string): void {
    this.#try(() => {
      if (!this.#spend(1)) return;
      const message = parseClientMessage(text);
      switch (message.type) {
        case 'subscribe':
          if (this.#spend(message.topics.size - 1)) this.#subscribe(message.topics);
          break;
        case 'unsubscribe':
          for (const topic of message.topics) this.#unsubscribe(topic);
          break;
        case 'ping':
          this.#tell(this.#connection?.sendPong());
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

  closed(): void {
    this.#connection = undefined;
    this.#access?.stop();
    if (this.#behind !== undefined) this.#deps.report.caughtUp();
    this.#behind = undefined;
    this.#deps.behind.delete(this);
    for (const topic of this.#topics) this.#deps.hub.unsubscribe(topic, this);
    this.#topics.clear();
    this.#deps.closed(this);
  }

  freshnessChanged(topic: Topic): void {
    if (!this.#toAnswer) {
      this.#toAnswer = new Set();
      this.#deps.clock.atTurnEnd(() => this.#sendAnswers());
    }
    this.#toAnswer.add(topic);
  }

  fellBehind(mark = this.#deps.hub.mark): void {
    if (!this.#connection) return;
    if (this.#behind === undefined) this.#deps.report.fellBehind();
    this.#deps.behind.add(this);
    this.#behind = Math.min(this.#behind ?? mark, mark);
  }

  /** Control state first, then the newest version of each topic that changed since it fell behind. */
  drained(): void {
    const connection = this.#connection;
    const { hub, report, behind } = this.#deps;
    if (!connection || this.#behind === undefined) return;
    if (hub.freshnessFlush >= this.#behind && !connection.sendFreshness(hub.fresh)) return;
    if (!this.#sendOwedNumbers(connection)) return;
    this.#behind = this.#sendMissed(connection, this.#behind);
    if (this.#behind !== undefined) return;
    behind.delete(this);
    report.caughtUp();
  }

  /** Its moment has come to be told of what changed since the mark, which it was left out of. */
  sendSince(mark: number): void {
    if (!this.#connection) return;
    const wasBehind = this.#behind !== undefined;
    const left = wasBehind ? mark : this.#sendMissed(this.#connection, mark);
    if (left !== undefined) this.fellBehind(left);
    if (wasBehind) this.drained();
  }

  #sendMissed(connection: Connection, since: number): number | undefined {
    const { hub, report } = this.#deps;
    return sendMissed({ hub, report, topics: this.#topics, connection, since });
  }

  /** Answers whether something went out; what did not will be made up for once there is room. */
  #tell(sent: boolean | undefined): boolean {
    if (sent === false) this.fellBehind();
    return sent !== false;
  }

  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.refuse(error);
    }
  }

  /** Tells the client that what it asked for cannot be had; false where that does not go out. */
  refuse(refusal: AppError, topic?: Topic): boolean {
    this.#deps.report.refused(refusal);
    return this.#tell(this.#connection?.sendError(refusal.code, topic));
  }

  /** Says why, and goodbye. */
  end(reason: AppError): void {
    this.refuse(reason);
    this.close(...goodbyeFor(reason.code));
  }

  #spend(cost: number): boolean {
    if (!this.#connection) return false;
    this.#budget ??= new MessageBudget(this.#deps.limits);
    if (this.#budget.take(this.#deps.clock.monotonicMs(), cost)) return true;
    this.end(new AppError('too_fast'));
    return false;
  }

  #subscribe(topics: ReadonlyMap<Topic, Version | null>): void {
    const { hub, clock, limits } = this.#deps;
    const held = [...topics.keys()].filter((topic) => this.#topics.has(topic) || this.#wanted?.has(topic)).length;
    const all = this.#topics.size + (this.#wanted?.size ?? 0) + topics.size - held;
    if (all > limits.maxTopics) throw new AppError('too_many_topics');
    if (this.#access?.pending) {
      this.#wanted = new Map([...(this.#wanted ?? []), ...topics]);
      return;
    }
    for (const [topic, since] of topics) {
      const refusal = this.#access?.refusal(topic);
      if (refusal) {
        this.refuse(new AppError(refusal), topic);
        continue;
      }
      if (!hub.hasRoom(topic, limits.maxRelayTopics)) return void this.end(new AppError('relay_full'));
      const isNew = this.#topics.add(topic, { since, joinedAtMs: clock.monotonicMs(), saidNull: false });
      if (isNew) hub.subscribe(topic);
      hub.awaitFreshness(topic, this);
      if (hub.isFresh(topic) || !hub.fresh) this.freshnessChanged(topic);
    }
  }

  /** What may be listened to is known, or has changed: what may not is taken away. */
  #accessChanged(): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    // Whoever has not asked for anything yet may do so next.
    const had = this.#topics.size > 0 || (wanted?.size ?? 0) > 0;
    for (const topic of [...this.#topics]) {
      const refusal = this.#access?.refusal(topic);
      if (!refusal) continue;
      this.#unsubscribe(topic);
      // Whoever is not told would take the silence for "nothing new". It learns the reason when it comes back.
      if (!this.refuse(new AppError(refusal), topic)) return void this.close(CLOSE_CODES.drain, '0');
    }
    if (wanted) this.#try(() => this.#subscribe(wanted));
    if (had && this.#topics.size === 0) this.#endWithoutTopics();
  }

  #endWithoutTopics(): void {
    this.close(...goodbyeFor(this.#access?.hasToken ? 'topic_forbidden' : 'unauthorized'));
  }

  #unsubscribe(topic: Topic): void {
    this.#wanted?.delete(topic);
    if (!this.#topics.delete(topic)) return;
    this.#toAnswer?.delete(topic);
    this.#connection?.unsubscribe(topic);
    this.#deps.hub.unsubscribe(topic, this);
  }

  #sendAnswers(): void {
    const topics = this.#toAnswer;
    this.#toAnswer = undefined;
    if (!this.#connection || !topics) return;
    for (const topic of topics) this.#connection.subscribe(topic);
    if (this.#behind === undefined && !this.#sendOwedNumbers(this.#connection)) this.fellBehind();
  }

  #sendOwedNumbers(connection: Connection): boolean {
    const { hub, report } = this.#deps;
    return sendOwedNumbers({ hub, report, session: this, topics: this.#topics, connection });
  }
}
