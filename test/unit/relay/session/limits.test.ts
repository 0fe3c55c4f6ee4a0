import { describe, expect, it } from 'vitest';
import { MessageBudget } from '../../../../services/relay/session/limits.ts';

const BURST = 256;

function createBudget({ maxTopics = 10, messagesPerSecond = 10 } = {}) {
  return new MessageBudget({ maxTopics, maxRelayTopics: 1000, messagesPerSecond });
}

describe('the budget of messages', () => {
  it('admits a burst at first, and then as many as the rate allows', () => {
    const budget = createBudget();
    expect([budget.take(0, BURST), budget.take(0, 1)]).toEqual([true, false]);
    expect([budget.take(99, 1), budget.take(100, 1), budget.take(100, 1)]).toEqual([false, true, false]);
    expect([budget.take(1100, 10), budget.take(1100, 1)]).toEqual([true, false]);
  });

  it('takes nothing if it refuses, and never holds more than a burst', () => {
    const budget = createBudget();
    expect([budget.take(0, BURST + 1), budget.take(0, BURST)]).toEqual([false, true]);
    expect([budget.take(3_600_000, BURST + 1), budget.take(3_600_000, BURST)]).toEqual([false, true]);
  });

  it('loses nothing to a clock that goes back', () => {
    const budget = createBudget();
    budget.take(1000, BURST - 2);
    expect([budget.take(0, 1), budget.take(0, 1), budget.take(0, 1)]).toEqual([true, true, false]);
  });

  it('suffices to subscribe to all topics twice, by messages of the greatest size at most', () => {
    const budget = createBudget({ maxTopics: 500 });
    expect([budget.take(0, 500), budget.take(0, 500), budget.take(0, 1)]).toEqual([true, true, false]);
    const large = createBudget({ maxTopics: 1_000_000 });
    expect([large.take(0, 2000), large.take(0, 1)]).toEqual([true, false]);
  });

  it('has no limit at a rate of 0', () => {
    expect(createBudget({ messagesPerSecond: 0 }).take(0, 1_000_000)).toBe(true);
  });
});
