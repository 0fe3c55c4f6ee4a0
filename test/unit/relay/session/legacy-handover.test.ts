import { describe, expect, it } from 'vitest';
import { LegacyHandover } from '../../../../services/relay/session/legacy-handover.ts';
import type { Session } from '../../../../services/relay/session/session.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const RECENT_MS = 60_000;
const START_MS = 1_000_000;

/** A relay with two legacy clients; the first one leaves early in its window, the second one late. */
function createHandover() {
  const time = new VirtualTime(START_MS);
  const stood = { stillMs: 0 };
  const randoms = [0, 0.999];
  const clock = { ...time.clock(() => randoms.shift() ?? 0.5), monotonicMs: () => time.nowMs + stood.stillMs };
  const events: string[] = [];
  const clients = ['one', 'two'].map((name) => ({
    name,
    sendSince: (since: number) => events.push(`${name} ${since}`),
  }));
  const hub = { provenUntilMs: START_MS, recentMs: RECENT_MS };
  const handover = new LegacyHandover({
    sessions: { legacy: clients as unknown as Session[] },
    hub,
    clock,
    close: (session) => void events.push(`closed ${(session as unknown as { name: string }).name}`),
  });
  return { time, stood, hub, events, handover };
}

describe('legacy clients of a relay that stays stale', () => {
  it('are closed in the second third of the time in which another relay detects what they missed', async () => {
    const { time, events, handover } = createHandover();
    handover.freshnessChanged(false);
    await time.runFor(RECENT_MS / 3 - 1);
    expect(events).toEqual([]);
    await time.runFor(1);
    expect(events).toEqual(['closed one']);
    await time.runFor(RECENT_MS / 3 - 100);
    expect(events).toEqual(['closed one']);
    await time.runFor(100);
    expect(events).toEqual(['closed one', 'closed two']);
  });

  it('wait less if the relay has not been proven current for a while, and never a negative time', async () => {
    const { time, hub, events, handover } = createHandover();
    hub.provenUntilMs = START_MS - RECENT_MS / 3 + 10;
    handover.freshnessChanged(false);
    await time.runFor(10);
    expect(events).toEqual(['closed one']);
    hub.provenUntilMs = START_MS - RECENT_MS / 2;
    handover.freshnessChanged(false);
    await time.runFor(RECENT_MS / 3);
    expect(events).toContain('closed two');
  });

  it('stay if the relay becomes fresh before', async () => {
    const { time, events, handover } = createHandover();
    handover.freshnessChanged(false);
    await time.runFor(RECENT_MS / 3);
    handover.freshnessChanged(true);
    await time.runFor(RECENT_MS);
    expect(events).toEqual(['closed one']);
  });

  it('refetch first if the process stood still, so that other relays no longer detect what they missed', async () => {
    const { time, stood, events, handover } = createHandover();
    handover.freshnessChanged(false);
    stood.stillMs = RECENT_MS / 2;
    await time.runFor(RECENT_MS / 3);
    expect(events).toEqual(['closed one']);
    stood.stillMs += 1;
    await time.runFor(RECENT_MS / 3);
    expect(events).toEqual(['closed one', 'two 0', 'closed two']);
  });
});
