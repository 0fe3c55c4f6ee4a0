/**
 * Why a relay closes a WebSocket (RFC 6455, section 7.4; 44xx are ours).
 * After 44xx, except 4429, a client must not retry unchanged.
 */
export const CLOSE_CODES = {
  goingAway: 1001,
  abuse: 1008,
  tooBig: 1009,
  /** The reason says when to come back, in milliseconds. */
  drain: 1012,
  full: 1013,
  unauthorized: 4401,
  forbidden: 4403,
  tooFast: 4429,
} as const;

export type CloseCode = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES];

/** Whether a client may come back unchanged after this close code. */
export function mayRetry(code: number): boolean {
  return code < 4400 || code > 4499 || code === CLOSE_CODES.tooFast;
}
