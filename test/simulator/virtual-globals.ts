import type { Timer } from '../../services/shared/clock.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import type { SeededRandom } from './seeded-random.ts';

/**
 * Replaces the globals that the client library uses (timers, time, randomness and `fetch`) with virtual ones.
 * @returns a function that restores them
 */
export function installVirtualGlobals(time: VirtualTime, random: SeededRandom, virtualFetch: typeof fetch): () => void {
  const { setTimeout, clearTimeout, fetch } = globalThis;
  const { now } = Date;
  const performanceNow = performance.now;
  const { random: realRandom } = Math;
  Object.assign(globalThis, {
    fetch: virtualFetch,
    setTimeout: (callback: () => void, delayMs = 0) => time.after(delayMs, callback),
    clearTimeout: (timer: Timer | undefined) => timer?.cancel(),
  });
  Date.now = () => time.nowMs;
  performance.now = () => time.nowMs;
  Math.random = () => random.next();
  return () => {
    Object.assign(globalThis, { setTimeout, clearTimeout, fetch });
    Date.now = now;
    performance.now = performanceNow;
    Math.random = realRandom;
  };
}
