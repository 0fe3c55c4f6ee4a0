import { AppError } from '../../shared/errors.ts';
import type { Clock } from '../../shared/process/clock.ts';
import { parseClientMessage } from '../../shared/protocol/client-message.ts';
import { CLOSE_CODES, type CloseCode } from '../../shared/protocol/close-codes.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Update, Version } from '../../shared/update/update.ts';
import type { Hub } from '../hub/hub.ts';
import type { Member } from '../hub/waiting-members.ts';
import type { Connection, ConnectionOwner } from '../transport/transport.ts';
import { MessageBudget, type SessionLimits } from './limits.ts';

/** How young an update must be for a client to be told that has no number to compare, in microseconds. */
const RECENT_US = 60_000_000;

/** What sessions report, for metrics. */
export interface SessionReport {
  fellBehind(): void;
  caughtUp(): void;
  refused(code: string): void;
}

/** What all sessions of a relay share. */
export interface SessionDeps {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly limits: SessionLimits;
  readonly report: SessionReport;
  readonly closed: (session: Session, code: number) => void;
}

/** A topic that is not answered with a number yet. */
interface Pending {
  readonly since: Version | null;
  readonly joinedAtMs: number;
  saidNull: boolean;
}

/** One client's subscriptions: what it is told, and when it is behind. */
export class Session implements Member, ConnectionOwner {
  readonly #deps: SessionDeps;
  /** Its topics; with what is still owed where no number was said yet. */
  readonly #topics = new Map<Topic, Pending | undefined>();
  #connection: Connection | undefined;
  #budget: MessageBudget | undefined;
  #toAnswer: Set<Topic> | undefined;
  /** Where it fell behind, as a mark of the hub. */
  #behind: number | undefined;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  /** Takes the line over. The session has none before this and after `closed`. */
  open(connection: Connection, topics: ReadonlyMap<Topic, Version | null>): void {
    this.#connection = connection;
    if (!this.#deps.hub.fresh) this.#tell(connection.sendFreshness(false));
    this.#try(() => this.#subscribe(topics));
  }

  get isBehind(): boolean {
    return this.#behind !== undefined;
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  close(code: CloseCode, reason: string): void {
    this.#connection?.close(code, reason);
  }

  message(text: string): void {
    this.#budget ??= new MessageBudget(this.#deps.limits.messagesPerSecond);
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
          break; // nothing is private yet, so no token is needed
      }
    });
  }

  closed(code: number): void {
    this.#connection = undefined;
    if (this.#behind !== undefined) this.#deps.report.caughtUp();
    this.#behind = undefined;
    for (const topic of this.#topics.keys()) this.#deps.hub.leave(topic, this);
    this.#topics.clear();
    this.#deps.closed(this, code);
  }

  answer(topic: Topic): void {
    if (!this.#toAnswer) {
      this.#toAnswer = new Set();
      this.#deps.clock.atTurnEnd(() => this.#sendAnswers());
    }
    this.#toAnswer.add(topic);
  }

  fellBehind(mark = this.#deps.hub.mark): void {
    if (!this.#connection || this.#behind !== undefined) return;
    this.#behind = mark;
    this.#deps.report.fellBehind();
  }

  /** Control state first, then the newest version of each topic that changed since it fell behind, oldest first. */
  roomAgain(): void {
    const connection = this.#connection;
    const { hub, report } = this.#deps;
    if (!connection || this.#behind === undefined) return;
    if (hub.freshnessFlush >= this.#behind && !connection.sendFreshness(hub.fresh)) return;
    if (!this.#sendOwedAnswers(connection)) return;
    const missed = [...this.#topics.keys()]
      .map((topic) => ({ topic, flush: hub.flushOf(topic) }))
      .filter(({ flush }) => flush >= (this.#behind ?? 0))
      .sort((a, b) => a.flush - b.flush);
    for (const { topic, flush } of missed) {
      if (!connection.sendUpdate(hub.current(topic))) {
        this.#behind = flush;
        return;
      }
    }
    this.#behind = undefined;
    report.caughtUp();
  }

  /** Notes whether something went out; what did not will be made up for once there is room. */
  #tell(sent: boolean | undefined): void {
    if (sent === false) this.fellBehind();
  }

  #try(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.refuse(error.code);
    }
  }

  /** Tells the client that what it asked for cannot be had. */
  refuse(code: string): void {
    this.#deps.report.refused(code);
    this.#tell(this.#connection?.sendError(code));
  }

  #spend(cost: number): boolean {
    if (!this.#connection) return false;
    if (this.#budget?.take(this.#deps.clock.nowMs(), cost)) return true;
    this.#deps.report.refused('too_fast');
    this.close(CLOSE_CODES.tooFast, 'too fast');
    return false;
  }

  #subscribe(topics: ReadonlyMap<Topic, Version | null>): void {
    const { hub, clock, limits } = this.#deps;
    const added = [...topics.keys()].filter((topic) => !this.#topics.has(topic)).length;
    if (this.#topics.size + added > limits.maxTopics) throw new AppError('too_many_topics');
    for (const [topic, since] of topics) {
      const joined = this.#topics.has(topic);
      this.#topics.set(topic, { since, joinedAtMs: clock.nowMs(), saidNull: false });
      if (!joined) hub.join(topic);
      hub.awaitAnswer(topic, this);
      if (hub.vouches(topic) || !hub.fresh) this.answer(topic);
    }
  }

  #unsubscribe(topic: Topic): void {
    if (!this.#topics.delete(topic)) return;
    this.#toAnswer?.delete(topic);
    this.#connection?.unlisten(topic);
    this.#deps.hub.leave(topic, this);
  }

  #sendAnswers(): void {
    const topics = this.#toAnswer;
    this.#toAnswer = undefined;
    if (!this.#connection || !topics) return;
    for (const topic of topics) this.#connection.listen(topic);
    if (this.#behind === undefined && !this.#sendOwedAnswers(this.#connection)) this.fellBehind();
  }

  /** Says the numbers that can be said and were not, and tells who comes back with another one. */
  #sendOwedAnswers(connection: Connection): boolean {
    const { hub } = this.#deps;
    const numbers = new Map<Topic, Version | null>();
    for (const [topic, pending] of this.#topics) {
      if (!pending) continue;
      if (hub.vouches(topic)) numbers.set(topic, hub.current(topic).version);
      else if (!hub.fresh && !pending.saidNull) numbers.set(topic, null);
    }
    if (numbers.size === 0) return true;
    if (!connection.sendSubscribed(numbers)) return false;
    for (const [topic, number] of numbers) {
      const pending = this.#topics.get(topic);
      if (!pending) continue;
      if (number === null) {
        pending.saidNull = true;
        continue;
      }
      const update = hub.current(topic);
      // Where it does not fit, the topic stays owed and is answered again once there is room.
      if (this.#isNews(connection, pending, update) && !connection.sendUpdate(update)) return false;
      this.#topics.set(topic, undefined);
    }
    return true;
  }

  #isNews(connection: Connection, pending: Pending, update: Update): boolean {
    if (pending.since !== null) return pending.since !== update.version;
    if (pending.saidNull) return update.version > pending.joinedAtMs * 1000 - RECENT_US;
    // A client of 2009 cannot say what it has, and fetched its page a moment ago.
    if (connection.transport !== 'update_check') return false;
    return this.#deps.hub.storedVersion(update.topic) > pending.joinedAtMs * 1000 - RECENT_US;
  }
}
