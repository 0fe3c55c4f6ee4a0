import { slowdown } from './slowdown.ts';

/**
 * Repeats an assertion until it holds. After the timeout, throws its last error. The timeout is for what hangs: a busy machine
 * has longer, by as much as it is slower. `expectInTime` is for what may not take long.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, timeoutMs = 20_000, intervalMs = 10): Promise<T> {
  let [leftMs, lastMs] = [timeoutMs, performance.now()];
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      const nowMs = performance.now();
      leftMs -= (nowMs - lastMs) / slowdown();
      lastMs = nowMs;
      if (leftMs < 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
  }
}
