import { expect, it } from 'vitest';
import { publishRows } from '../../../services/outbox/publish-rows.ts';

/** The longest `WEBHOOK_TIMEOUT`. */
const SLOWEST_CALL_MS = 30_000;
/** After this time, PostgreSQL ends the transaction of a batch. */
const IDLE_TIMEOUT_MS = 60_000;

const topicsOf = (body: string): string[] => {
  const call = JSON.parse(body);
  return call.topics ?? (call.updates ?? [call]).map(({ topic }: { topic: string }) => topic);
};
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
        called.push(...topicsOf(body));
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

it('topics with and without data share calls of up to 100 topics and 64 KiB, each with its newest data', async () => {
  const rows = [
    ...ROWS.slice(0, 99).map((row) => ({ ...row, data: null })),
    { id: 'a', topic: 'x', data: '{"n": 1}' },
    { id: 'b', topic: 'x', data: '{"n": 2.0}' },
    { id: 'c', topic: 'large', data: `"${'x'.repeat(59_998)}"` },
    { id: 'd', topic: 'half', data: `"${'x'.repeat(30_000)}"` },
    { id: 'e', topic: 'other/half', data: `"${'x'.repeat(30_000)}"` },
  ];
  const bodies: string[] = [];
  const call = async (body: string) => void bodies.push(body);
  const { published } = await publishRows(rows, { nowMs: () => 0, call: call as () => Promise<undefined> });
  expect(bodies.map((body) => topicsOf(body).length)).toEqual([100, 1, 1, 1]);
  expect(bodies[0]).toContain('{"topic":"order/98"},{"topic":"x","data":{"n": 2.0}}]}');
  expect(Math.max(...bodies.map((body) => Buffer.byteLength(body)))).toBeLessThan(64 * 1024);
  expect(published).toHaveLength(rows.length);
});

it('a batch publishes all of its rows if calls are fast', async () => {
  const { published } = await publishRows(ROWS, { nowMs: () => 0, call: async () => undefined });
  expect(published).toHaveLength(ROWS.length);
});
