import type { Clock } from '../shared/clock.ts';
import { CLOSE_CODES, type CloseCode } from '../shared/protocol/close-codes.ts';
import type { TransportName } from '../shared/protocol/transport-name.ts';

const STEP_MS = 50;
/** Time for the last close frames to leave before the server closes. */
const LAST_FRAMES_MS = 100;
/** A closed client should reconnect within this time. Short, since it finds another relay at once. */
export const COME_BACK_WITHIN_MS = 1000;

/** A session, as far as closing it is concerned. */
interface ClosableSession {
  readonly connection: { readonly transport: TransportName } | undefined;
  close(code: CloseCode, reason: string): void;
}

/** All sessions of a relay, in the order of their opening. */
interface ClosableSessions extends Iterable<ClosableSession> {
  readonly size: number;
}

/** Closes a connection. The reason is the number of milliseconds to wait before reconnecting. */
export function disconnect(session: ClosableSession, clock: Clock): void {
  session.close(CLOSE_CODES.drain, String(Math.round(clock.random() * COME_BACK_WITHIN_MS)));
}

/** Closes at most `count` connections, oldest first, without long-polls, which end by themselves. Returns the number closed. */
export function shed(deps: { sessions: ClosableSessions; clock: Clock; count: number }): number {
  const leaving = [];
  for (const session of deps.sessions) {
    if (leaving.length >= deps.count) break;
    if (session.connection?.transport !== 'long-poll') leaving.push(session);
  }
  for (const session of leaving) disconnect(session, deps.clock);
  return leaving.length;
}

/**
 * Answers the long-polls that wait now, each at a random time within the window, so that their clients are on another
 * connection before this relay refuses requests.
 */
export function answerLongPolls(deps: { sessions: ClosableSessions; clock: Clock; windowMs: number }): void {
  const { sessions, clock, windowMs } = deps;
  for (const session of sessions) {
    if (session.connection?.transport !== 'long-poll') continue;
    clock.after(clock.random() * windowMs, () => disconnect(session, clock));
  }
}

/**
 * Closes all connections, evenly spread over the window, so that the other relays are not overrun.
 * Resolves when no session is left.
 */
export async function drain(deps: { sessions: ClosableSessions; clock: Clock; windowMs: number }): Promise<void> {
  const { sessions, clock, windowMs } = deps;
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const [all, begunAtMs] = [sessions.size, clock.monotonicMs()];
  let closed = 0;
  while (sessions.size > 0) {
    // By elapsed time, so that few connections are spread as well as many.
    const share = (clock.monotonicMs() - begunAtMs + STEP_MS) / windowMs;
    const due = share < 1 ? Math.ceil(all * share) : Number.POSITIVE_INFINITY;
    for (const session of sessions) {
      if (closed >= due) break;
      closed += 1;
      disconnect(session, clock);
    }
    await wait(sessions.size > 0 ? STEP_MS : LAST_FRAMES_MS);
  }
}
