import type { Clock } from '../../shared/clock.ts';
import type { AppError, ErrorCode } from '../../shared/errors.ts';
import { LogLimit } from '../../shared/log-limit.ts';
import type { Logger } from '../../shared/logger.ts';
import type { EngineSelection } from '../engine/create-engine.ts';
import type { StaleCause } from '../hub/repair.ts';

/** Refusals that an operator can do something about; all others are a matter of the client. */
const OPERATOR_CODES = new Set([
  'relay_full',
  'connecting_too_fast',
  'keys_unavailable',
  'origin_forbidden',
  'internal_error',
]);
const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  origin_forbidden:
    'refusing pages of other origins: list theirs in ALLOWED_ORIGINS; without a list, a proxy must pass on Host unchanged',
};

/** Logs what the operator of a relay acts on; never one line for each client. */
export class RelayLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #limit: LogLimit;
  #staleSinceMs: number;

  constructor(deps: { logger: Logger; clock: Clock }) {
    this.#logger = deps.logger;
    this.#clock = deps.clock;
    this.#limit = new LogLimit({ nowMs: () => deps.clock.monotonicMs() });
    this.#staleSinceMs = deps.clock.monotonicMs();
  }

  engineSelected({ name: engine, reason, cause, hasOldBinary }: EngineSelection): void {
    if (cause) {
      const platform = `${process.platform}-${process.arch}, Node ${process.versions.node}`;
      this.#logger.warn(
        { engine, reason, platform, err: cause },
        'uWebSockets.js cannot be loaded; node:http and ws serve clients, at a higher cost',
      );
      return;
    }
    this.#logger.info({ engine, reason }, engine === 'uws' ? 'served by uWebSockets.js' : 'served by node:http and ws');
    if (hasOldBinary) {
      this.#logger.warn(
        { engine },
        'uWebSockets.js for Node 20 refuses requests whose first line arrives in several segments; use Node 22 or newer, or RELAY_ENGINE=node',
      );
    }
  }

  freshness(fresh: boolean, cause?: StaleCause): void {
    const nowMs = this.#clock.monotonicMs();
    if (fresh) {
      this.#logger.info({ staleMs: Math.round(nowMs - this.#staleSinceMs) }, 'relay is fresh');
      return;
    }
    this.#staleSinceMs = nowMs;
    this.#logger.warn({ cause }, 'relay is stale; clients notified');
  }

  floorRaised(): void {
    this.#limit.log('floor', () =>
      this.#logger.warn('floor raised: Redis may have lost updates; notifying all clients'),
    );
  }

  deafSubscriptionReplaced(): void {
    this.#limit.log('deaf', (times) =>
      this.#logger.warn({ times }, 'signals did not arrive; replaced the subscription'),
    );
  }

  refused({ code, cause }: AppError): void {
    if (!OPERATOR_CODES.has(code)) return;
    const level = code === 'internal_error' ? 'error' : 'warn';
    const err = cause === undefined ? {} : { err: cause };
    this.#limit.log(code, (times) => this.#logger[level]({ code, times, ...err }, HINTS[code] ?? 'refusing clients'));
  }

  draining(clients: number, windowMs: number): void {
    this.#logger.info({ clients, windowMs }, 'closing all connections');
  }

  drained(): void {
    this.#logger.info('all connections closed');
  }
}
