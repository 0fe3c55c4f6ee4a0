import type { Clock } from '../clock.ts';
import { LogLimit } from '../log-limit.ts';
import type { Logger } from '../logger.ts';

/**
 * Creates the log of addresses whose `X-Forwarded-For` is ignored: at most one line a minute, with the last address and the
 * number of requests since the line before.
 */
export function createUntrustedProxyLog(deps: { logger: Logger; clock: Clock }): (address: string) => void {
  const { logger, clock } = deps;
  const limit = new LogLimit({ nowMs: () => clock.monotonicMs() });
  return (address) =>
    limit.log('ignored', (times) =>
      logger.warn(
        { address, times },
        'ignoring X-Forwarded-For from an address that is not in TRUSTED_PROXIES; if it is a proxy of yours, all of its clients share the limits of one address',
      ),
    );
}
