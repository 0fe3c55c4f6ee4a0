/** Returns the time in milliseconds since 1970 with sub-millisecond resolution, comparable between processes of one machine. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
