/** The retention of registers, in microseconds: a client that was away for less is notified of exactly what changed. */
export const RETENTION_US = 24 * 3600 * 1_000_000;

/** The TTL of a stored register: an hour above the retention, so that clocks and caches may differ a little. */
export const REGISTER_TTL_MS = 25 * 3600 * 1000;

/** The default TTL of `data`, which expires sooner than its version: a client that comes back later fetches. */
export const DATA_TTL_MS = 3600 * 1000;

/** The time covered by a digest, in microseconds. A relay that was away for longer reads all of its registers. */
export const RECENT_WINDOW_US = 120 * 1_000_000;

/** The TTL of a response in the idempotency store. */
export const RESPONSE_TTL_MS = 10 * 60 * 1000;

/** The TTL of a reservation in the idempotency store of a broker in memory, which replies at once. */
export const MEMORY_RESERVATION_TTL_MS = 4000;

/** The maximum number of topics in one digest. */
export const DIGEST_LIMIT = 10_000;

/** The TTL of a stored receipt query, and of an entry in the relay registry that has none of its own. */
export const LOAD_TTL_MS = 10_000;

/** In a cluster of more relays, each asks less of Redis by itself. */
export const MANY_RELAYS = 100;

/**
 * Intervals at which a relay exchanges its load with the others: the shortest, and the longest, in a large cluster. With the
 * default interval of repair, every other probe comes shortly before the longest, and an exchange goes with it.
 */
export const EXCHANGE_INTERVAL_MS = 2000;
export const MAX_EXCHANGE_INTERVAL_MS = 7000;

/** The share of an exchange interval by which it varies. */
export const EXCHANGE_JITTER = 0.1;

/** An entry of the relay registry may have a TTL that is longer by this than that of another one, of a relay that knows fewer. */
export const MAX_TTL_DIFFERENCE_MS = Math.ceil(
  (MAX_EXCHANGE_INTERVAL_MS - EXCHANGE_INTERVAL_MS) * (1 + EXCHANGE_JITTER),
);

/**
 * Returns the interval at which each relay of a cluster registers its load and reads the others', in milliseconds, and so the
 * maximum age of its view.
 */
export function exchangeIntervalMs(relays: number): number {
  // More relays together exchange as often as this number of them at the shortest interval.
  const sharedMs = (EXCHANGE_INTERVAL_MS * relays) / MANY_RELAYS;
  return Math.min(Math.max(EXCHANGE_INTERVAL_MS, sharedMs), MAX_EXCHANGE_INTERVAL_MS);
}

/** In a larger cluster, relays read the load of groups of relays instead of each one's. */
export const MAX_LISTED_RELAYS = 32;

/** Returns the TTL of the loads of groups that a relay has computed for all, in milliseconds. */
export function relaySummaryTtlMs(relays: number): number {
  return exchangeIntervalMs(relays) / 2;
}

/** The TTL of the replies to a receipt query, after the last one. */
export const RECEIPT_TTL_MS = 10_000;
