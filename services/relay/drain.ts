import type { Clock } from '../shared/clock.ts';
import { CLOSE_CODES } from '../shared/protocol/close-codes.ts';
import type { Session } from './session/session.ts';
import type { Sessions } from './session/sessions.ts';

const STEP_MS = 50;
/** How long the last goodbyes get to leave before the server closes. */
const LAST_WORDS_MS = 100;
/** The latest that a client is asked to come back, in milliseconds after its goodbye: it finds another relay at once. */
export const COME_BACK_WITHIN_MS = 1000;

/** Says goodbye to a client, and when to come back. Whoever balances sends it to another relay. */
function sendAway(session: Session, clock: Clock): void {
  session.close(CLOSE_CODES.drain, String(Math.round(clock.random() * COME_BACK_WITHIN_MS)));
}

/** Says goodbye to up to so many clients, those first that have been here longest; answers to how many. */
export function shed(deps: { sessions: Sessions; clock: Clock; count: number }): number {
  const leaving = [];
  for (const session of deps.sessions) {
    if (leaving.length >= deps.count) break;
    if (session.connection?.transport !== 'long-poll') leaving.push(session); // a long-poll ends by itself
  }
  for (const session of leaving) sendAway(session, deps.clock);
  return leaving.length;
}

/**
 * Says goodbye to all clients, evenly spread over the window, so that the relays that take them over are not
 * hit at once. The reason says in how many milliseconds to come back. Resolves when all are gone.
 */
export async function drain(deps: { sessions: Sessions; clock: Clock; windowMs: number }): Promise<void> {
  const { sessions, clock, windowMs } = deps;
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const [all, begunAtMs] = [sessions.size, clock.monotonicMs()];
  let away = 0;
  while (sessions.size > 0) {
    // By the time that has passed, so that a few are spread as well as many.
    const share = (clock.monotonicMs() - begunAtMs + STEP_MS) / windowMs;
    const due = share < 1 ? Math.ceil(all * share) : Number.POSITIVE_INFINITY;
    for (const session of sessions) {
      if (away >= due) break;
      away += 1;
      sendAway(session, clock);
    }
    await wait(sessions.size > 0 ? STEP_MS : LAST_WORDS_MS);
  }
}
