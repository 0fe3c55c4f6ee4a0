import { availableParallelism, loadavg } from 'node:os';

/**
 * Returns how many times longer a process needs than on a quiet machine, rounded up: processes that are ready to run share the
 * processors. Limits for what hangs grow by it, at most a minute later.
 */
export function slowdown(): number {
  const [lastMinute = 0] = loadavg();
  return Math.max(1, Math.ceil(lastMinute / availableParallelism()));
}
