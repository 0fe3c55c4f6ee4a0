import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseOriginBudget, spreadMs } from '../../../../services/relay/cluster/origin-budget.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';

describe('the request budget of the web application', () => {
  it('is one number for all topics, or that of the first matching pattern', () => {
    const budget = parseOriginBudget(['500', 'chat/vip=0', 'chat/*=50', '*=7']);
    expect(['chat/vip', 'chat/1', 'news'].map((topic) => budget?.(topic as Topic))).toEqual([0, 50, 7]);
    expect(parseOriginBudget(['chat/*=50'])?.('news' as Topic)).toBe(0);
    expect(parseOriginBudget([])?.('news' as Topic)).toBe(0);
  });

  it.each(['many', '-1', '1.5', 'chat=', '=5', 'a b=5', 'chat=5=6', '9999999999'])('cannot be %s', (text) => {
    expect(parseOriginBudget([text])).toBeUndefined();
  });
});

describe('the spread', () => {
  const spread = (options: Partial<Parameters<typeof spreadMs>[0]>) =>
    spreadMs({
      perSecond: 500,
      subscribers: 1000,
      connections: 1000,
      clusterConnections: 1000,
      maxMs: 60_000,
      ...options,
    });

  it('is as long as all subscribers need within the budget', () => {
    expect(spread({})).toBe(2000);
    expect(spread({ clusterConnections: 4000 })).toBe(8000);
    expect(spread({ subscribers: 250, clusterConnections: 4000 })).toBe(2000);
  });

  it('is 0 if it would have no effect, without a budget, and without subscribers', () => {
    expect(spread({ subscribers: 5, connections: 5, clusterConnections: 5 })).toBe(0);
    expect(spread({ perSecond: 0 })).toBe(0);
    expect(spread({ subscribers: 0 })).toBe(0);
    expect(spread({ connections: 0 })).toBe(0);
  });

  it('has an upper bound', () => {
    expect(spread({ subscribers: 1_000_000, connections: 1_000_000, clusterConnections: 9e9 })).toBe(60_000);
  });

  it('keeps the fetches of all relays together within the budget, however clients and subscribers are distributed', () => {
    const relay = fc.record({
      connections: fc.integer({ min: 1, max: 100_000 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(relay, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 10_000 }),
        (relays, perSecond) => {
          const clusterConnections = relays.reduce((sum, { connections }) => sum + connections, 0);
          const fetchesPerSecond = relays.reduce((sum, { connections, part }) => {
            const subscribers = Math.round(connections * part);
            const ms = spreadMs({
              perSecond,
              subscribers,
              connections,
              clusterConnections,
              maxMs: Number.MAX_SAFE_INTEGER,
            });
            // Without a spread, all fetches would have fitted into a tenth of a second.
            return sum + (ms === 0 ? 0 : subscribers / (ms / 1000));
          }, 0);
          expect(fetchesPerSecond).toBeLessThanOrEqual(perSecond * 1.01);
        },
      ),
    );
  });
});
