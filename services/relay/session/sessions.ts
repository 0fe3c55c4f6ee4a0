import type { Timer } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { FlushPosition } from '../hub/flushes.ts';
import type { Connection, ConnectRequest } from '../transport/transport.ts';
import { Session, type SessionDeps, type SessionOwner } from './session.ts';

/** `countBehind` examines at most this many clients. */
const MAX_EXAMINED = 10_000;

/** All sessions of a relay, in the order of their opening. */
export class Sessions implements Iterable<Session> {
  readonly #deps: SessionDeps & SessionOwner;
  readonly #all = new Set<Session>();
  readonly #behind = new Set<Session>();
  readonly #tokenless = new Set<Session>();
  readonly #legacy = new Set<Session>();
  /** Clients that cannot spread their refetch by themselves. */
  readonly #toPace = new Set<Session>();
  /** Clients whose paced updates are still to be sent: those since `since`, when `timer` fires at `atMs`. */
  readonly #paced = new Map<Session, { readonly since: FlushPosition; readonly atMs: number; readonly timer: Timer }>();

  constructor(deps: SessionDeps) {
    this.#deps = {
      ...deps,
      behind: this.#behind,
      tokenless: this.#tokenless,
      closed: (session) => {
        this.#all.delete(session);
        this.#tokenless.delete(session);
        this.#legacy.delete(session);
        this.#toPace.delete(session);
        this.#paced.get(session)?.timer.cancel();
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

  /** Clients of the legacy protocol: they cannot resume. */
  get legacy(): Iterable<Session> {
    return this.#legacy;
  }

  /** Whether `evict` can close a client. */
  get canEvict(): boolean {
    return this.#tokenless.size > 0;
  }

  /** Closes the oldest client that needs a token and has presented none, if any. */
  evict(): void {
    const [oldest] = this.#tokenless;
    oldest?.end(new AppError('relay_full'));
  }

  /** Creates the session of a new connection, which may be closed by the time that this returns. */
  accept(connection: Connection, request: ConnectRequest): Session {
    const session = new Session(this.#deps);
    this.#all.add(session);
    if (connection.transport === 'legacy') this.#legacy.add(session);
    if (!connection.supportsSpread) this.#toPace.add(session);
    session.open(connection, request);
    return session;
  }

  /** Returns how many clients miss the newest update of a topic, among the first 10,000 that are behind or paced. */
  countBehind(topic: Topic): number {
    let left = MAX_EXAMINED;
    let count = 0;
    for (const session of this.#behind) {
      if (session.isBehindOn(topic)) count += 1;
      left -= 1;
      if (left === 0) return count;
    }
    for (const [session, { since }] of this.#paced) {
      if (!session.isBehind && session.isBehindOn(topic, since)) count += 1;
      left -= 1;
      if (left === 0) return count;
    }
    return count;
  }

  /**
   * Sends the updates flushed at `since` or later to the clients that cannot spread, each at a random time within the window. One
   * that is paced already keeps its time if that is within the window: floors of several partitions make one send, and
   * frequent updates do not end a spread early.
   */
  pace(since: FlushPosition, windowMs: number): void {
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    for (const session of this.#toPace) {
      const earlier = this.#paced.get(session);
      if (earlier && earlier.atMs <= nowMs + windowMs) continue;
      earlier?.timer.cancel();
      const first = earlier?.since ?? since;
      const delayMs = clock.random() * windowMs;
      const timer = clock.after(delayMs, () => {
        this.#paced.delete(session);
        // At the end of the turn, to include what changes in this one.
        clock.atTurnEnd(() => session.sendSince(first));
      });
      this.#paced.set(session, { since: first, atMs: nowMs + delayMs, timer });
    }
  }
}
