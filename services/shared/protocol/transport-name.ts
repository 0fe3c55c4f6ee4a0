/** The transports of a relay: the same four names on server, client and load test. */
export const TRANSPORT_NAMES = ['websocket', 'sse', 'long-poll', 'legacy'] as const;

/** `legacy` is the article's protocol at `/update_check`. Metric labels and options have names of their own, mapped where they are read or written. */
export type TransportName = (typeof TRANSPORT_NAMES)[number];
