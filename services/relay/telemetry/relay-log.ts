import type { Clock } from '../../shared/clock.ts';
import type { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { createRelayMetrics } from './metrics.ts';

type RelayReports = ReturnType<typeof createRelayMetrics>;

/** What may go on and on is said once in so long. */
const SAY_AGAIN_MS = 60_000;
/** Refusals that an operator can do something about; others are the client's matter. */
const CALLS_FOR_HELP = new Set(['relay_full', 'connecting_too_fast', 'keys_unavailable', 'internal_error']);

/** Adds to what a relay reports the lines that its operator acts on: never one for each client. */
export function logRelay(reports: RelayReports, deps: { logger: Logger; clock: Clock }): RelayReports {
  const { logger, clock } = deps;
  const silent = new Map<string, { untilMs: number; times: number }>();
  let staleSinceMs = clock.monotonicMs();

  /** Calls back unless it did so a short while ago for the same thing, with how often that came in between. */
  function seldom(thing: string, say: (times: number) => void): void {
    const nowMs = clock.monotonicMs();
    const before = silent.get(thing) ?? { untilMs: nowMs, times: 0 };
    if (nowMs < before.untilMs) before.times += 1;
    else {
      say(before.times + 1);
      silent.set(thing, { untilMs: nowMs + SAY_AGAIN_MS, times: 0 });
    }
  }

  function refused(refusal: AppError): void {
    const { code, cause } = refusal;
    if (!CALLS_FOR_HELP.has(code)) return;
    const level = code === 'internal_error' ? 'error' : 'warn';
    const err = cause === undefined ? {} : { err: cause };
    seldom(code, (times) => logger[level]({ code, times, ...err }, 'clients are refused'));
  }

  return {
    ...reports,
    hub: {
      ...reports.hub,
      freshness(fresh) {
        reports.hub.freshness(fresh);
        if (fresh) {
          const staleMs = Math.round(clock.monotonicMs() - staleSinceMs);
          logger.info({ staleMs }, 'can vouch for what it says');
        } else {
          staleSinceMs = clock.monotonicMs();
          logger.warn('cannot vouch for what it says any more, and tells its clients so');
        }
      },
      floorRaised() {
        reports.hub.floorRaised();
        seldom('floor', () => logger.warn('Redis may have lost updates: all clients are told to look once'));
      },
      deafSubscriptionReplaced() {
        reports.hub.deafSubscriptionReplaced();
        seldom('deaf', (times) => logger.warn({ times }, 'signals did not arrive: subscribed anew'));
      },
    },
    session: {
      ...reports.session,
      refused(refusal) {
        reports.session.refused(refusal);
        refused(refusal);
      },
    },
    connection: {
      ...reports.connection,
      refused(refusal) {
        reports.connection.refused(refusal);
        refused(refusal);
      },
    },
  };
}
