import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oldestDueMs } from '../../../../services/loadtest/clients/client-plan.ts';

describe('what a frame that says nothing may have been about', () => {
  it('is the oldest update of the topic that was due after the client was told before', () => {
    const numbers = fc.record({
      startMs: fc.integer({ min: 0, max: 10_000 }),
      intervalMs: fc.integer({ min: 1, max: 2000 }),
      topics: fc.integer({ min: 1, max: 20 }),
      topic: fc.nat(19),
      afterMs: fc.integer({ min: 0, max: 50_000 }),
    });
    fc.assert(
      fc.property(numbers, ({ startMs, intervalMs, topics, topic, afterMs }) => {
        const own = topic % topics;
        let n = own;
        while (startMs + n * intervalMs <= afterMs) n += topics; // one after the other
        expect(oldestDueMs({ startMs, intervalMs }, { topic: own, topics, afterMs })).toBe(startMs + n * intervalMs);
      }),
    );
  });
});
