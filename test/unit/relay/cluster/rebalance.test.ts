import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EXCHANGE_INTERVAL_MS } from '../../../../services/relay/cluster/cluster-picture.ts';
import { Rebalance } from '../../../../services/relay/cluster/rebalance.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/process/clock.ts';

describe('a relay that holds more than its share', () => {
  let own: number;
  let others: number[];
  let stay: number;
  let away: number;
  let rebalance: Rebalance;

  function create(perSecond: number): void {
    rebalance = new Rebalance({
      perSecond,
      clock: SYSTEM_CLOCK,
      shed(count) {
        away += count;
        const gone = Math.round(count * (1 - stay));
        own -= gone;
        others = others.map((connections) => connections + gone / others.length);
        return count;
      },
    });
  }

  beforeEach(() => {
    vi.useFakeTimers();
    [own, others, stay, away] = [1000, [0], 0, 0];
    create(50);
  });
  afterEach(() => void vi.useRealTimers());

  async function pass(seconds: number): Promise<void> {
    for (let ms = 0; ms < seconds * 1000; ms += EXCHANGE_INTERVAL_MS) {
      const connections = others.reduce((sum, n) => sum + n, own);
      rebalance.look({ relays: others.length + 1, own, connections });
      await vi.advanceTimersByTimeAsync(EXCHANGE_INTERVAL_MS);
    }
  }

  it('sheds its surplus at a bounded rate, and no more than that', async () => {
    await pass(4);
    expect(away).toBeGreaterThan(150);
    expect(away).toBeLessThanOrEqual(210);
    await pass(30);
    expect(own).toBeGreaterThanOrEqual(500);
    expect(own).toBeLessThanOrEqual(520);
  });

  it('sheds nothing where it is near the mean, alone, or switched off', async () => {
    others = [950];
    await pass(10);
    others = [];
    await pass(10);
    [own, others] = [1000, [0]];
    create(0);
    await pass(10);
    expect(away).toBe(0);
  });

  it('sheds ever more rarely where those whom it sends away come back', async () => {
    stay = 1;
    await pass(60);
    const first = away;
    await pass(60);
    const second = away - first;
    await pass(600);
    expect(first).toBeLessThan(1200);
    expect(second).toBeLessThan(first);
    expect(away).toBeLessThan(3000);
  });

  it('stops at once when it goes away itself', async () => {
    rebalance.look({ relays: 2, own, connections: own });
    rebalance.stop();
    const before = away;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(away).toBe(before);
  });
});
