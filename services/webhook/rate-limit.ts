import type { Response } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../shared/errors.ts';
import type { Credential } from './credential.ts';

/** Counts a call with this credential. Rejects with `rate_limited` and sets `Retry-After` if it exceeds the limit. */
export type LimitRate = (credential: Credential, response: Pick<Response, 'setHeader'>) => Promise<void>;

/**
 * Creates the rate limit of this process.
 *
 * @param deps.callsPerSecond for each credential; 0 for no limit
 */
export function createRateLimit(deps: { callsPerSecond: number }): LimitRate {
  const { callsPerSecond } = deps;
  if (callsPerSecond === 0) return async () => {};
  const limiter = new RateLimiterMemory({ points: callsPerSecond, duration: 1 });
  return async (credential, response) => {
    try {
      await limiter.consume(credential.id);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      response.setHeader('Retry-After', Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)));
      throw new AppError('rate_limited');
    }
  };
}
