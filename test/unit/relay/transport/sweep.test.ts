import { describe, expect, it } from 'vitest';
import { Sweep, type Sweepable, type SweepLimits } from '../../../../services/relay/transport/sweep.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const INTERVAL_MS = 15_000;
const STUCK_MS = 60_000;
const TICK_MS = 1000;

/** A connection that records when it was swept. */
class FakeConnection implements Sweepable {
  readonly sweptAtMs: number[] = [];
  isStuck = false;
  stuckMs = 0;
  heardMs = 0;

  sweep(nowMs: number, { stuckMs, heardMs }: SweepLimits): boolean {
    this.stuckMs = stuckMs;
    this.heardMs = heardMs;
    this.sweptAtMs.push(nowMs);
    return !this.isStuck;
  }
}

function createSweep(count: number, intervalMs = INTERVAL_MS) {
  const time = new VirtualTime();
  const connections = new Set(Array.from({ length: count }, () => new FakeConnection()));
  const seen = { stuck: 0 };
  const stood = { stillMs: 0 };
  const sweep = new Sweep({
    clock: { ...time.clock(), monotonicMs: () => time.nowMs + stood.stillMs },
    connections,
    intervalMs,
    stuckMs: STUCK_MS,
    stuck() {
      seen.stuck += 1;
    },
  });
  sweep.start();
  return { time, connections, sweep, seen, stood };
}

describe('a sweep', () => {
  it.each([1, 2, 7, 15, 16, 30, 1000])('checks each of %i connections once per interval', async (count) => {
    const { time, connections } = createSweep(count);
    await time.runFor(10 * INTERVAL_MS);
    for (const { sweptAtMs } of connections) {
      expect(sweptAtMs.length).toBeGreaterThanOrEqual(9);
      expect(sweptAtMs.length).toBeLessThanOrEqual(10);
      for (const [i, atMs] of sweptAtMs.entries()) {
        const beforeMs = sweptAtMs[i - 1];
        if (beforeMs !== undefined) expect(Math.abs(atMs - beforeMs - INTERVAL_MS)).toBeLessThanOrEqual(TICK_MS);
      }
    }
  });

  it('closes no connection for the usual time after the process stood still, as it has read nothing meanwhile', async () => {
    const { time, connections, stood } = createSweep(1);
    const [connection] = connections;
    const limit = async () => {
      await time.runFor(2 * INTERVAL_MS);
      return connection?.stuckMs;
    };
    expect(await limit()).toBe(STUCK_MS);
    stood.stillMs = 2 * STUCK_MS;
    expect(await limit()).toBe(Number.POSITIVE_INFINITY);
    await time.runFor(STUCK_MS);
    expect(await limit()).toBe(STUCK_MS);
  });

  it.each([15_000, 25_000, 45_000, 55_000])(
    'at an interval of %i ms, leaves no client that answers without a packet for a minute',
    async (intervalMs) => {
      const { time, connections } = createSweep(1, intervalMs);
      await time.runFor(2 * intervalMs);
      const [connection] = connections;
      const heardMs = connection?.heardMs ?? Number.NaN;
      expect(heardMs + intervalMs).toBeLessThan(60_000);
      // The pong to the previous ping comes within a tick or two of it: that client needs the next ping.
      expect(heardMs).toBeLessThan(intervalMs - 2 * TICK_MS);
    },
  );

  it('checks many connections a few at a time', async () => {
    const { time, connections } = createSweep(1500);
    await time.runFor(INTERVAL_MS);
    const perTick = new Map<number, number>();
    for (const { sweptAtMs } of connections) {
      const [atMs = 0] = sweptAtMs;
      perTick.set(atMs, (perTick.get(atMs) ?? 0) + 1);
    }
    expect([...perTick.values()]).toEqual(Array(INTERVAL_MS / TICK_MS).fill(100));
  });

  it('checks later connections within an interval, and reports stuck ones', async () => {
    const { time, connections, sweep, seen } = createSweep(3);
    await time.runFor(INTERVAL_MS / 2);
    const late = new FakeConnection();
    connections.add(late);
    await time.runFor(INTERVAL_MS);
    expect(late.sweptAtMs).toHaveLength(1);
    late.isStuck = true;
    await time.runFor(INTERVAL_MS);
    expect(seen.stuck).toBe(1);
    sweep.stop();
    await time.runFor(2 * INTERVAL_MS);
    expect(seen.stuck).toBe(1);
  });
});
