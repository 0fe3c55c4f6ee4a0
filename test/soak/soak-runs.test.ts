import { expect, it } from 'vitest';
import { soak } from './soak.ts';

it('a cluster under churn and every fault once holds no more descriptors and keys than before, and leaves no client behind', async () => {
  const { rows, faults, visits, behind } = await soak({ minutes: 0.1, pauseMs: 1000, progress() {} });
  expect(behind).toBe(0);
  expect(faults).toBeGreaterThan(8);
  expect(visits).toBeGreaterThan(0);
  // Memory has settled only after minutes: `npm run soak` compares it.
  for (const { what, after, atMost } of rows) {
    if (/files|keys/.test(what)) expect(after, what).toBeLessThanOrEqual(atMost);
  }
});
