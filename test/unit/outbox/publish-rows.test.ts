import { expect, it } from 'vitest';
import { publishRows } from '../../../services/outbox/publish-rows.ts';

/** The longest `WEBHOOK_TIMEOUT`. */
const SLOWEST_CALL_MS = 30_000;
/** After this time, PostgreSQL ends the transaction of a batch. */
const IDLE_TIMEOUT_MS = 60_000;

const ROWS = Array.from({ length: 1000 }, (_, i) => ({ id: `${i}`, topic: `order/${i}`, data: '1' }));

it.each([1000, 10_000, SLOWEST_CALL_MS])(
  'a batch ends in time with what it has published, although each call takes %i ms',
  async (callMs) => {
    let nowMs = 0;
    const called: string[] = [];
    const { published, failure } = await publishRows(ROWS, {
      nowMs: () => nowMs,
      async call(body) {
        const startMs = nowMs;
        called.push(JSON.parse(body).topic);
        await Promise.resolve();
        nowMs = startMs + callMs;
        return undefined;
      },
    });
    expect(failure).toBeUndefined();
    expect(nowMs).toBeLessThan(IDLE_TIMEOUT_MS);
    expect(called.length).toBeGreaterThan(0);
    expect(published.map((id) => `order/${id}`)).toEqual(called);
  },
);

it('a batch publishes all of its rows if calls are fast', async () => {
  const { published } = await publishRows(ROWS, { nowMs: () => 0, call: async () => undefined });
  expect(published).toHaveLength(ROWS.length);
});
