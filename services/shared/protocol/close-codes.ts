// Constants of their own, because a bundler inlines them into the browser client.
export const ABUSE = 1008;
export const TOO_BIG = 1009;
/** The reason is the time to wait before reconnecting, in milliseconds. */
export const DRAIN = 1012;
export const FULL = 1013;
export const UNAUTHORIZED = 4401;
export const FORBIDDEN = 4403;
export const TOO_FAST = 4429;
/** Connect again at once, with one try less. */
export const REBALANCING = 4503;

/**
 * The codes with which a relay closes a WebSocket (RFC 6455, section 7.4; 44xx are specific to Heliograph). After 44xx,
 * except 4429, a client must not reconnect unchanged.
 */
export const CLOSE_CODES = {
  goingAway: 1001,
  abuse: ABUSE,
  tooBig: TOO_BIG,
  drain: DRAIN,
  full: FULL,
  unauthorized: UNAUTHORIZED,
  forbidden: FORBIDDEN,
  tooFast: TOO_FAST,
  rebalancing: REBALANCING,
} as const;

export type CloseCode = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES];

/** Returns whether a client may reconnect unchanged after this close code. */
export function mayRetry(code: number): boolean {
  return code < 4400 || code > 4499 || code === TOO_FAST;
}
