import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueMsOf, firstDueFrom } from '../../../../services/loadtest/clients/update-schedule.ts';

const schedules = fc.record({ startMs: fc.nat(10_000), intervalMs: fc.integer({ min: 1, max: 2000 }) });
const subscriptions = fc.integer({ min: 1, max: 12 }).chain((topics) =>
  fc.record({
    topics: fc.constant(topics),
    own: fc.uniqueArray(fc.nat(topics - 1), { minLength: 1 }).map((own) => own.toSorted((a, b) => a - b)),
  }),
);

describe('the update schedule of a subscription', () => {
  it('has the due times of its topics, which are published in turn', () => {
    fc.assert(
      fc.property(schedules, subscriptions, ({ startMs, intervalMs }, { own, topics }) => {
        const all = Array.from({ length: 5 * topics }, (_, n) => n).filter((n) => own.includes(n % topics));
        const due = all.map((_, n) => dueMsOf({ startMs, intervalMs }, { own, topics }, n));
        expect(due).toEqual(all.map((n) => startMs + n * intervalMs));
      }),
    );
  });

  it('starts for a later client with the first update that is due after it connected', () => {
    fc.assert(
      fc.property(schedules, subscriptions, fc.nat(60_000), (schedule, subscription, fromMs) => {
        const n = firstDueFrom(schedule, subscription, fromMs);
        expect(dueMsOf(schedule, subscription, n)).toBeGreaterThanOrEqual(fromMs);
        if (n > 0) expect(dueMsOf(schedule, subscription, n - 1)).toBeLessThan(fromMs);
      }),
    );
  });
});
