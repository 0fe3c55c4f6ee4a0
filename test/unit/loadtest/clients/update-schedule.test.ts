import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstDueFrom, nthDueMs } from '../../../../services/loadtest/clients/client-plan.ts';

const schedules = fc.record({ startMs: fc.nat(10_000), intervalMs: fc.integer({ min: 1, max: 2000 }) });
const audiences = fc.integer({ min: 1, max: 12 }).chain((topics) =>
  fc.record({
    topics: fc.constant(topics),
    own: fc.uniqueArray(fc.nat(topics - 1), { minLength: 1 }).map((own) => own.toSorted((a, b) => a - b)),
  }),
);

describe('the updates that a client is told of', () => {
  it('are those of its topics, as the topics take turns', () => {
    fc.assert(
      fc.property(schedules, audiences, ({ startMs, intervalMs }, { own, topics }) => {
        const all = Array.from({ length: 5 * topics }, (_, n) => n).filter((n) => own.includes(n % topics));
        const due = all.map((_, n) => nthDueMs({ startMs, intervalMs }, { own, topics }, n));
        expect(due).toEqual(all.map((n) => startMs + n * intervalMs));
      }),
    );
  });

  it('begin for one that comes later with the first that is due then', () => {
    fc.assert(
      fc.property(schedules, audiences, fc.nat(60_000), (schedule, audience, fromMs) => {
        const n = firstDueFrom(schedule, audience, fromMs);
        expect(nthDueMs(schedule, audience, n)).toBeGreaterThanOrEqual(fromMs);
        if (n > 0) expect(nthDueMs(schedule, audience, n - 1)).toBeLessThan(fromMs);
      }),
    );
  });
});
