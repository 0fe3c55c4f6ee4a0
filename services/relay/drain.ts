import type { Clock } from '../shared/clock.ts';
import { CLOSE_CODES } from '../shared/protocol/close-codes.ts';
import type { Session } from './session/session.ts';
import type { Sessions } from './session/sessions.ts';

const STEP_MS = 50;
/** Time for the last close frames to leave before the server closes. */
const LAST_FRAMES_MS = 100;
/** A closed client should reconnect within this time. Short, since it finds another relay at once. */
export const COME_BACK_WITHIN_MS = 1000;

/** Closes a connection. The reason is the number of milliseconds to wait before reconnecting. */
export function disconnect(session: Session, clock: Clock): void {
  session.close(CLOSE_CODES.drain, String(Math.round(clock.random() * COME_BACK_WITHIN_MS)));
}

/** Closes at most `count` connections, oldest first, without long-polls, which end by themselves. Returns the number closed. */
export function shed(deps: { sessions: Sessions; clock: Clock; count: number }): number {
  const leaving = [];
  for (const session of deps.sessions) {
    if (leaving.length >= deps.count) break;
    if (session.connection?.transport !== 'long-poll') leaving.push(session);
  }
  for (const session of leaving) disconnect(session, deps.clock);
  return leaving.length;
}

/**
 * Closes all connections, evenly spread over the window, so that the other relays are not overrun.
 * Resolves when no session is left.
 */
export async function drain(deps: { sessions: Sessions; clock: Clock; windowMs: number }): Promise<void> {
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
