import type { Connection, Greeting } from '../transport/transport.ts';
import { Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';

/** All sessions of a relay. */
export class Sessions implements Iterable<Session> {
  readonly #deps: SessionDeps & { readonly closed: (session: Session) => void };
  readonly #all = new Set<Session>();
  /** Those whose moment is still to come. */
  readonly #paced = new Set<Session>();

  constructor(deps: SessionDeps) {
    this.#deps = { ...deps, closed: (session) => void this.#all.delete(session) };
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#all.values();
  }

  /** Gives a new connection its session. */
  accept(connection: Connection, greeting: Greeting): Session {
    const session = new Session(this.#deps);
    this.#all.add(session);
    session.open(connection, greeting);
    return session;
  }

  /**
   * Tells clients who cannot spread their refetch of what changed since the mark, each at a moment of its own, and
   * once also where it is called again before that moment, as it is for each partition whose floor is raised.
   */
  pace(mark: number, windowMs: number): void {
    const { clock } = this.#deps;
    for (const session of this.#all) {
      if (session.connection?.transport !== 'update_check' || this.#paced.has(session)) continue;
      this.#paced.add(session);
      clock.after(clock.random() * windowMs, () => {
        this.#paced.delete(session);
        // At the end of the turn, so that what changed in this one is told too.
        clock.atTurnEnd(() => {
          session.fellBehind(mark);
          session.roomAgain();
        });
      });
    }
  }
}
