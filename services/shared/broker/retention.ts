/** For how long a register counts, in microseconds: a client that was away for less is told exactly what changed. */
export const RETENTION_US = 24 * 3600 * 1_000_000;

/** For how long a broker keeps a register: an hour more, so that clocks and caches may disagree a little. */
export const REGISTER_TTL_MS = 25 * 3600 * 1000;

/** How far back a digest reaches, in microseconds: a relay that was away for longer reads all its registers. */
export const RECENT_WINDOW_US = 120 * 1_000_000;

/** For how long the answer to a publisher's call is kept. */
export const RESPONSE_TTL_MS = 10 * 60 * 1000;

/** The most topics in one digest. */
export const DIGEST_LIMIT = 10_000;

/** For how long a relay's load counts. */
export const LOAD_TTL_MS = 10_000;

/** For how long the answers to a question for receipts are kept, after the last one. */
export const RECEIPT_TTL_MS = 10_000;
