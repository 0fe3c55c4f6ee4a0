/**
 * Milliseconds since 1970, with fractions: within one millisecond a client may be told of one update and the next one
 * be sent, and it must be seen which came first.
 */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
