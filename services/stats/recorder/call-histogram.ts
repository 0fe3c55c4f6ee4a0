/** Buckets per doubling of the duration: a value read from them is at most 9 % too high. */
const PER_DOUBLING = 8;
/** Upper bound of the first bucket, in milliseconds. */
const SHORTEST_MS = 0.001;
const MAX_BUCKET = 8 * 32;

/** Number of buckets. */
export const BUCKETS = MAX_BUCKET + 1;

/** Returns the bucket of a duration in milliseconds. */
export function bucketOf(ms: number): number {
  if (!(ms > SHORTEST_MS)) return 0;
  return Math.min(MAX_BUCKET, Math.ceil(Math.log2(ms / SHORTEST_MS) * PER_DOUBLING));
}

/** Returns the longest duration in a bucket, in milliseconds. */
export function upperBoundMs(bucket: number): number {
  return SHORTEST_MS * 2 ** (bucket / PER_DOUBLING);
}

/**
 * Returns a quantile of the durations, in milliseconds; 0 if there are none.
 *
 * @param part from 0 to 1, such as 0.99
 */
export function quantile(buckets: Readonly<Record<string, number>>, part: number): number {
  const sorted = Object.entries(buckets)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .sort(([one], [other]) => one - other);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  let left = Math.ceil(total * part);
  for (const [bucket, count] of sorted) {
    left -= count;
    if (left <= 0) return upperBoundMs(bucket);
  }
  return 0;
}
