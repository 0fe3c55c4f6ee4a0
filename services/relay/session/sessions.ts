import type { Timer } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Connection, ConnectRequest } from '../transport/transport.ts';
import { Session } from './session.ts';
import type { SessionDeps, SessionOwner } from './session-deps.ts';

/** So many clients that are behind are looked at where somebody asks how many miss a topic. */
const MAX_LOOKED_AT = 10_000;

/** All sessions of a relay. */
export class Sessions implements Iterable<Session> {
  readonly #deps: SessionDeps & SessionOwner<Session>;
  readonly #all = new Set<Session>();
  readonly #behind = new Set<Session>();
  readonly #tokenless = new Set<Session>();
  /** Those who cannot spread their refetch by themselves. */
  readonly #unspread = new Set<Session>();
  /** Those of them whose moment is still to come, with the mark since which they are to be told. */
  readonly #paced = new Map<Session, { readonly mark: number; readonly moment: Timer }>();

  constructor(deps: SessionDeps) {
    this.#deps = {
      ...deps,
      behind: this.#behind,
      tokenless: this.#tokenless,
      closed: (session) => {
        this.#all.delete(session);
        this.#tokenless.delete(session);
        this.#unspread.delete(session);
        this.#paced.get(session)?.moment.cancel();
        this.#paced.delete(session);
      },
    };
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#all.values();
  }

  /** Whether somebody is there who could give way to another client. */
  get canEvict(): boolean {
    return this.#tokenless.size > 0;
  }

  /** Sends away who has been here longest without a token that is needed. */
  evict(): void {
    const [oldest] = this.#tokenless;
    oldest?.end(new AppError('relay_full'));
  }

  /** Gives a new connection its session. */
  accept(connection: Connection, greeting: ConnectRequest): Session {
    const session = new Session(this.#deps);
    this.#all.add(session);
    if (connection.transport === 'legacy') this.#unspread.add(session);
    session.open(connection, greeting);
    return session;
  }

  /** How many clients are still to get the newest of a topic; counted among the first ten thousand of all that wait. */
  countBehind(topic: Topic): number {
    let left = MAX_LOOKED_AT;
    let owed = 0;
    for (const session of this.#behind) {
      if (session.isBehindOn(topic)) owed += 1;
      left -= 1;
      if (left === 0) return owed;
    }
    for (const [session, { mark }] of this.#paced) {
      if (!session.isBehind && session.isBehindOn(topic, mark)) owed += 1;
      left -= 1;
      if (left === 0) return owed;
    }
    return owed;
  }

  /**
   * Tells clients who cannot spread their refetch of what changed since the mark, each at a moment of its own, and
   * once also where it is called again before that moment, as it is for each partition whose floor is raised.
   */
  pace(mark: number, windowMs: number): void {
    const { clock } = this.#deps;
    for (const session of this.#unspread) {
      if (this.#paced.has(session)) continue;
      const moment = clock.after(clock.random() * windowMs, () => {
        this.#paced.delete(session);
        // At the end of the turn, so that what changed in this one is told too.
        clock.atTurnEnd(() => session.sendSince(mark));
      });
      this.#paced.set(session, { mark, moment });
    }
  }
}
