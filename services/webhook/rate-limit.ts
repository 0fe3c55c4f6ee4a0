import { AppError } from '../shared/errors.ts';
import { TokenBucket } from '../shared/token-bucket.ts';
import type { Credential } from './credential.ts';
import type { LimitReport } from './metrics.ts';

/** Limits what the calls of each credential cost. */
export interface RateLimit {
  /**
   * Counts a call before it is parsed.
   *
   * @throws {AppError} rate_limited
   */
  admit(credential: Credential): void;
  /** Counts further points of an admitted call. It may take more than are left: then later calls wait longer. */
  charge(credential: Credential, points: number): void;
}

const UNLIMITED: RateLimit = { admit() {}, charge() {} };

/**
 * Creates the rate limit of this process. Each call costs at least one point.
 *
 * @param deps.pointsPerSecond for each credential; 0 for no limit
 * @param deps.nowMs returns the time by the monotonic clock
 */
export function createRateLimit(deps: {
  pointsPerSecond: number;
  nowMs: () => number;
  report: LimitReport;
}): RateLimit {
  const { pointsPerSecond, nowMs, report } = deps;
  if (pointsPerSecond === 0) return UNLIMITED;
  const buckets = new Map<string, TokenBucket>();

  function bucketOf({ id }: Credential): TokenBucket {
    const bucket = buckets.get(id) ?? new TokenBucket({ perSecond: pointsPerSecond, nowMs });
    buckets.set(id, bucket);
    return bucket;
  }

  return {
    admit(credential) {
      const bucket = bucketOf(credential);
      if (bucket.isEmpty) {
        report.callLimited('rate');
        throw new AppError('rate_limited', undefined, { retryAfterS: Math.max(1, Math.ceil(bucket.waitMs / 1000)) });
      }
      bucket.take(1);
    },
    charge: (credential, points) => bucketOf(credential).take(points),
  };
}

/**
 * Returns the points of a call: one for each topic or, if that is more, for each KiB of `data` that relays receive.
 *
 * @param dataBytes of each topic
 */
export function pointsOf(dataBytes: readonly number[]): number {
  const bytes = dataBytes.reduce((sum, size) => sum + size, 0);
  return Math.max(dataBytes.length, Math.ceil(bytes / 1024));
}
