// Separate constants, so that the bundler writes their values where they are used.

/** Upper bound of the delay before the first retry; doubles with each further one, up to the cap. */
export const RETRY_MS = 1000;
export const RETRY_CAP_MS = 30_000;
/** After a relay said that it is full or the client too fast, delays are at least those after this many failures. */
export const BUSY_RELAY_TRIES = 3;
/** A client that a relay refuses because others have fewer clients connects again at once, at most this often. */
export const REBALANCING_TRIES = 3;
/** A new connection is closed if the relay sends nothing for this long. */
export const CONNECT_TIMEOUT_MS = 8000;
/** After this long without a message the client sends a ping, and gives the relay this long to respond. */
export const PING_AFTER_MS = 30_000;
export const PONG_TIMEOUT_MS = 10_000;
/** A connection that was live for this long resets the retry delays. */
export const STABLE_MS = 10_000;
/** Longest delay that is accepted from a draining relay. */
export const MAX_RETRY_AFTER_MS = 60_000;

/** The next transport replaces one that has worked after this many consecutive connections without any message. */
export const FAILURES_BEFORE_FALLBACK = 3;
/** Upper bound of the random delay before the next transport is tried. */
export const FALLBACK_DELAY_MS = 500;
/** Shortest time until the best transport is tried again; a random delay is added that grows with each failure. */
export const UPGRADE_MS = 60_000;
export const UPGRADE_CAP_MS = 3_600_000;

/** How long the relay holds a long-poll. The same for all clients, so that a cache can collapse their requests. */
export const LONG_POLL_S = 25;
/** Pause of a topic after an update: further updates within it arrive as one. */
export const UPDATE_PAUSE_MS = 250;
/** Longest pause between polls that do not wait: the larger of a fixed time and a time per topic. */
export const POLL_PAUSE_MS = 5000;
export const POLL_PAUSE_PER_TOPIC_MS = 300;

/** A token is renewed after this fraction of its lifetime, plus a random part of a second fraction. */
export const RENEW_AFTER = 0.7;
export const RENEW_JITTER = 0.2;
/** Longest delay that `setTimeout` accepts. */
export const MAX_TIMER_MS = 2_147_483_647;

/** A tab pings the leader after this long: 30 s of silence, 10 s for the relay's pong, and a margin. */
export const LEADER_TIMEOUT_MS = 45_000;

/** Longest time that the first fetch waits for the relay to confirm the topic's version. */
export const FIRST_FETCH_TIMEOUT_MS = 1000;
/** Shortest interval of fetches while the status is not `live`; the longest is twice that. */
export const SLOW_FETCH_MS = 15_000;
/** A fetch that takes longer is aborted. */
export const FETCH_TIMEOUT_MS = 30_000;
/** Runs that may follow one whose response is older than the update, unless they bring a newer one: for about a minute. */
export const BEHIND_TRIES = 8;
/** Longest time that runs wait for a write of the page. */
export const WRITE_HOLD_MS = 2000;
