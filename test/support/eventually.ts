/**
 * Repeats an assertion until it holds. After the timeout, throws its last error. The timeout is for what hangs, so that a busy
 * machine does not pass it; `expectInTime` is for what may not take long.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, timeoutMs = 20_000, intervalMs = 10): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
  }
}
