import { describe, expect, it } from 'vitest';
import { FRESH_INTERVALS, Repair } from '../../../../services/relay/hub/repair.ts';
import { AppError } from '../../../../services/shared/errors.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const INTERVAL_MS = 3000;
const DIGEST = {
  history: 'h',
  floor: 1,
  raise: 'r',
  last: 1,
  base: 0,
  retained: 0,
  reach: 0,
  changed: [],
  more: false,
};

/** Repair on a clock whose time of day can be set, and a broker that can be lost. */
function createRepair() {
  const time = new VirtualTime();
  const day = { offsetMs: 0 };
  const broker = { isLost: false };
  const freshness: boolean[] = [];
  const clock = { ...time.clock(), nowMs: () => time.nowMs + day.offsetMs };
  const repair = new Repair({
    clock,
    intervalMs: INTERVAL_MS,
    feed: {
      partitions: 2,
      digest: async () => {
        if (broker.isLost) throw new AppError('broker_unavailable');
        return DIGEST;
      },
      read: async () => [],
      renew() {},
    },
    handler: {
      watchedIn: () => [],
      versionOf: () => undefined,
      repaired() {},
      floorRaised() {},
      freshnessChanged: (fresh) => void freshness.push(fresh),
    },
    report: {
      digested() {},
      digestFailed() {},
      updatesRepaired() {},
      floorRaised() {},
      deafSubscriptionReplaced() {},
      freshness() {},
    },
  });
  return { time, day, broker, freshness, repair };
}

describe('freshness', () => {
  it('ends three intervals after the last digest, also where the clock was set back meanwhile', async () => {
    const { time, day, broker, freshness, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    expect(freshness).toEqual([true]);
    broker.isLost = true;
    day.offsetMs = -3_600_000;
    await time.runFor(FRESH_INTERVALS * INTERVAL_MS);
    expect(freshness).toEqual([true, false]);
    repair.stop();
  });

  it('stays where the clock is set ahead', async () => {
    const { time, day, freshness, repair } = createRepair();
    repair.start();
    await time.runFor(1);
    day.offsetMs = 3_600_000;
    await time.runFor(10 * INTERVAL_MS);
    expect(freshness).toEqual([true]);
    repair.stop();
  });
});
