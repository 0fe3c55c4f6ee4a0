import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';

const REPEAT_MS = 60_000;

/**
 * Creates the log of addresses whose `X-Forwarded-For` is ignored: at most one line a minute, with the last address and the
 * number of requests since the line before.
 */
export function createUntrustedProxyLog(deps: { logger: Logger; clock: Clock }): (address: string) => void {
  const { logger, clock } = deps;
  let untilMs = Number.NEGATIVE_INFINITY;
  let times = 0;
  return (address) => {
    times += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs < untilMs) return;
    logger.warn(
      { address, times },
      'ignoring X-Forwarded-For from an address that is not in TRUSTED_PROXIES; if it is a proxy of yours, all of its clients share the limits of one address',
    );
    untilMs = nowMs + REPEAT_MS;
    times = 0;
  };
}
