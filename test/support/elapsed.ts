import { expect } from 'vitest';

const TICK_MS = 5;

/** How long something took, and for how long of that this process was ready to run but waited for a processor. */
export interface Elapsed {
  readonly tookMs: number;
  readonly lateMs: number;
}

/** Starts to measure time, and beside it how late timers are: what a busy machine adds. */
export function startStopwatch(): { stop(): Elapsed } {
  const begunAtMs = performance.now();
  let [lastAtMs, lastCpuMs, lateMs] = [begunAtMs, cpuMs(), 0];
  const tick = () => {
    const [nowMs, nowCpuMs] = [performance.now(), cpuMs()];
    // Timers fire up to a millisecond late on any machine. What this process computed itself is no excuse.
    lateMs += Math.max(0, nowMs - lastAtMs - TICK_MS - 1 - (nowCpuMs - lastCpuMs));
    [lastAtMs, lastCpuMs] = [nowMs, nowCpuMs];
  };
  const timer = setInterval(tick, TICK_MS).unref();
  return {
    stop() {
      clearInterval(timer);
      tick();
      return { tookMs: performance.now() - begunAtMs, lateMs };
    },
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Requires that something took less than `limitMs`, apart from the time that the machine was busy with other work. Load can
 * only add time: what can be repeated is best measured within `eventually`, which accepts the first attempt in time.
 */
export function expectInTime({ tookMs, lateMs }: Elapsed, limitMs: number): void {
  expect(tookMs - lateMs, `ms, beside ${Math.round(lateMs)} ms in which the machine was busy`).toBeLessThan(limitMs);
}
