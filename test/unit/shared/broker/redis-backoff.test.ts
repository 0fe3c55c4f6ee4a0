import { expect, it } from 'vitest';
import { RedisBackoff } from '../../../../services/shared/broker/redis/redis-backoff.ts';

/** Returns the delays of 20 attempts if each link lasts for `upMs`; undefined for one that is never established. */
function delaysMs(upMs: number | undefined): number[] {
  let nowMs = 0;
  const backoff = new RedisBackoff({ monotonicMs: () => nowMs });
  return Array.from({ length: 20 }, () => {
    if (upMs !== undefined) backoff.established();
    nowMs += upMs ?? 10;
    return backoff.nextDelayMs();
  });
}

it('attempts to reconnect slow down if a server refuses connections, or accepts and closes them at once', () => {
  for (const delays of [delaysMs(undefined), delaysMs(100)]) {
    expect(delays[0]).toBeLessThanOrEqual(50);
    for (const delay of delays.slice(5)) {
      expect(delay).toBeGreaterThanOrEqual(250);
      expect(delay).toBeLessThanOrEqual(500);
    }
  }
});

it('the first attempt is quick whenever the link has lasted', () => {
  for (const delay of delaysMs(1000)) expect(delay).toBeLessThanOrEqual(50);
});
