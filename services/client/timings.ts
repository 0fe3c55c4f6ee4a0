// The numbers of the library, one by one, because a bundler then writes them where they are used.

/** The longest wait before the first new line; doubled for each further one, up to the cap. */
export const RETRY_MS = 1000;
export const RETRY_CAP_MS = 30_000;
/** Where the relay is full or angry the waits begin as if there had been so many tries. */
export const BUSY_RELAY_TRIES = 3;
/** A line that says nothing for so long when it should open is given up. */
export const CONNECT_TIMEOUT_MS = 8000;
/** A line that says nothing for so long is asked for a sign of life, which may take so long. */
export const PING_AFTER_MS = 30_000;
export const PONG_TIMEOUT_MS = 10_000;
/** A line that held for so long starts the waits anew. */
export const STABLE_MS = 10_000;
/** The longest that a relay may send a client away for. */
export const MAX_RETRY_AFTER_MS = 60_000;

/** A transport that has worked here is given up after so many lines in a row that said nothing. */
export const FAILURES_BEFORE_FALLBACK = 3;
/** The next transport is tried within so long. */
export const FALLBACK_DELAY_MS = 500;
/** After how long a better one is tried: at least, and in doubt longer each time that it fails. */
export const UPGRADE_MS = 60_000;
export const UPGRADE_CAP_MS = 3_600_000;

/** The most topics that a relay takes on one stream of Server-Sent Events. */
export const MAX_SSE_TOPICS = 16;
/** A WebSocket message with this many of the longest topics stays below the relay's limit of 16 KiB. */
export const TOPICS_PER_MESSAGE = 64;

/**
 * Browsers hold six connections to one HTTP/1.1 server at a time: so many long-polls wait, the rest is for the page.
 * Where there are more topics nobody waits, and each is asked for now and then.
 */
export const MAX_LONG_POLLS = 4;
/** For how long a long-poll waits for an update. The same for all clients, so that a cache can ask once for many. */
export const LONG_POLL_S = 25;
/** After news a topic is left alone for so long: what comes meanwhile is one update. */
export const UPDATE_PAUSE_MS = 250;
/** The longest pause after an answer that did not wait for news, and the same for each topic where there are many. */
export const POLL_PAUSE_MS = 5000;
export const POLL_PAUSE_PER_TOPIC_MS = 300;

/** Which part of a token's life passes at least before it is renewed, and how much of it is left to chance. */
export const RENEW_AFTER = 0.7;
export const RENEW_JITTER = 0.2;
/** What a timer can wait at most. */
export const MAX_TIMER_MS = 2_147_483_647;

/** The tab that leads says something at least every 30 s, and then the relay may take 10 s to answer. */
export const LEADER_TIMEOUT_MS = 45_000;

/** For so long a first fetch waits for the topic's number. */
export const FIRST_FETCH_TIMEOUT_MS = 1000;
/** While nobody can be relied on to say when: the shortest wait between two fetches; the longest is twice that. */
export const SLOW_FETCH_MS = 15_000;
/** A fetch that takes longer is aborted. */
export const FETCH_TIMEOUT_MS = 30_000;
