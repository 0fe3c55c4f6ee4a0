/** The time in milliseconds since 1970, in parts of one: what processes of one machine agree on. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
