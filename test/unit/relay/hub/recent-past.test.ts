import { describe, expect, it } from 'vitest';
import { RecentPast } from '../../../../services/relay/hub/recent-past.ts';
import { FRESH_INTERVALS } from '../../../../services/relay/hub/repair.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const WINDOW_MS = 60_000;

function createPast() {
  const time = new VirtualTime();
  return { time, past: new RecentPast({ clock: time.clock(), repairIntervalMs: 3000 }) };
}

/** A relay that was stale from 100 s to 500 s. */
async function createStalePast() {
  const { time, past } = createPast();
  past.becameFresh();
  await time.runFor(110_000);
  past.becameStale(100_000);
  await time.runFor(390_000);
  past.becameFresh();
  return { time, past };
}

describe('the time in which a client may have missed updates on its way', () => {
  it('is a minute, or as long as a relay may need to notice that it is stale and to close its legacy clients', () => {
    const { time, past } = createPast();
    expect(past.windowMs).toBe(WINDOW_MS);
    const repairIntervalMs = 10_000;
    expect(new RecentPast({ clock: time.clock(), repairIntervalMs }).windowMs).toBe(3 * FRESH_INTERVALS * 10_000);
  });

  it('ends with the subscription, also on a relay that has just become fresh for the first time', () => {
    const { past } = createPast();
    past.becameFresh();
    expect(past.sinceMs(1000)).toBe(1000 - WINDOW_MS);
  });

  it('includes the time in which this relay was stale, if that ended within it', async () => {
    const { past } = await createStalePast();
    expect(past.sinceMs(500_000)).toBe(100_000 - WINDOW_MS);
    expect(past.sinceMs(500_000 + WINDOW_MS)).toBe(100_000 - WINDOW_MS);
    expect(past.sinceMs(500_001 + WINDOW_MS)).toBe(500_001);
    expect(past.sinceMs(50_000)).toBe(50_000 - WINDOW_MS);
  });

  it('includes several such times if each began soon after the one before', async () => {
    const { time, past } = await createStalePast();
    await time.runFor(WINDOW_MS);
    past.becameStale(550_000);
    await time.runFor(40_000);
    past.becameFresh();
    expect(past.sinceMs(600_000)).toBe(100_000 - WINDOW_MS);
    await time.runFor(WINDOW_MS + 1);
    past.becameStale(660_000);
    await time.runFor(1000);
    past.becameFresh();
    expect(past.sinceMs(661_001)).toBe(660_000 - WINDOW_MS);
  });
});
