import type { BlockList } from 'node:net';
import type { Request } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Clock } from '../shared/clock.ts';
import { AppError } from '../shared/errors.ts';
import { createClientAddressReader, forwardedFor } from '../shared/http/client-address.ts';
import { createUntrustedProxyLog } from '../shared/http/untrusted-proxy-log.ts';
import type { Logger } from '../shared/logger.ts';

/** Counts a comment from the address of a request. Rejects with `rate_limited`, and sets `Retry-After`, over the limit. */
export type LimitComments = (request: Request) => Promise<void>;

/**
 * Creates the limit of comments for each address.
 *
 * @param options.commentsPerMinute 0 for no limit
 * @param options.trustedProxies proxies whose `X-Forwarded-For` is trusted
 */
export function createCommentLimit(options: {
  commentsPerMinute: number;
  trustedProxies: BlockList;
  logger: Logger;
  clock: Clock;
}): LimitComments {
  const { commentsPerMinute, trustedProxies, logger, clock } = options;
  if (commentsPerMinute === 0) return async () => {};
  const limiter = new RateLimiterMemory({ points: commentsPerMinute, duration: 60 });
  const readAddress = createClientAddressReader(trustedProxies, createUntrustedProxyLog({ logger, clock }));
  return async (request) => {
    try {
      await limiter.consume(readAddress(request.socket.remoteAddress ?? '', forwardedFor(request.headers)));
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      request.res?.setHeader('Retry-After', Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)));
      throw new AppError('rate_limited', 'Too many comments from your address; try again in a minute');
    }
  };
}
