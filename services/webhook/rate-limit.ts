import type { Response } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../shared/errors.ts';
import type { Credential } from './credential.ts';

/**
 * Creates the limit of calls a second, for each credential and on this process. Rejects with `rate_limited`,
 * and says by `Retry-After` when to come back. 0 switches it off.
 */
export function createRateLimit(deps: {
  callsPerSecond: number;
}): (credential: Credential, response: Pick<Response, 'setHeader'>) => Promise<void> {
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
