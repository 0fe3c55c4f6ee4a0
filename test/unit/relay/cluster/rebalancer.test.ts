import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Rebalancer } from '../../../../services/relay/cluster/rebalancer.ts';
import { RelayRegistryView, SETTLED_AFTER_MS } from '../../../../services/relay/cluster/relay-registry-view.ts';
import { MemoryBroker } from '../../../../services/shared/broker/memory-broker.ts';
import { EXCHANGE_INTERVAL_MS, MAX_EXCHANGE_INTERVAL_MS } from '../../../../services/shared/broker/retention.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import { SeededRandom } from '../../../simulator/seeded-random.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

describe('a relay with a surplus of connections', () => {
  let own: number;
  let others: number[];
  let isSettled: boolean;
  /** The part of the closed connections that comes back to this relay. */
  let stay: number;
  let rebalancer: Rebalancer;

  function create(perSecond: number): void {
    rebalancer = new Rebalancer({
      perSecond,
      clock: SYSTEM_CLOCK,
      shed(count) {
        const gone = Math.round(count * (1 - stay));
        own -= gone;
        others = others.map((connections) => connections + gone / others.length);
        return count;
      },
    });
  }

  beforeEach(() => {
    vi.useFakeTimers();
    [own, others, isSettled, stay] = [1000, [0], true, 0];
    create(50);
  });
  afterEach(() => void vi.useRealTimers());

  async function pass(seconds: number, intervalMs = EXCHANGE_INTERVAL_MS): Promise<void> {
    for (let ms = 0; ms < seconds * 1000; ms += intervalMs) {
      rebalancer.evaluate({ intervalMs, own, others, shed: rebalancer.shed, isSettled });
      await vi.advanceTimersByTimeAsync(intervalMs);
    }
  }

  it('sheds a few connections, and the rest at a bounded rate once those have reached emptier relays', async () => {
    await pass(2);
    expect(rebalancer.shed).toBe(10);
    await pass(6);
    expect(rebalancer.shed).toBeLessThanOrEqual(10 + 3 * 100);
    await pass(30);
    expect(own).toBeGreaterThanOrEqual(500);
    expect(own).toBeLessThanOrEqual(563); // 12.5 % above the mean
  });

  it('sheds at the same rate if exchanges are rarer, in a large cluster', async () => {
    await pass(10, MAX_EXCHANGE_INTERVAL_MS);
    expect(rebalancer.shed).toBe(10);
    await pass(10, MAX_EXCHANGE_INTERVAL_MS);
    expect(rebalancer.shed).toBeGreaterThan(10 + 5 * 45);
    await pass(30, MAX_EXCHANGE_INTERVAL_MS);
    expect(own).toBeGreaterThanOrEqual(500);
    expect(own).toBeLessThanOrEqual(563);
  });

  it('sheds to fill a relay that is far below the mean, even if none is far above it', async () => {
    [own, others] = [1050, [...Array(18).fill(1050), 50]];
    await pass(2);
    expect(rebalancer.shed).toBe(10);
  });

  it('sheds nothing while relays come and go, near the mean, alone, or if rebalancing is disabled', async () => {
    isSettled = false;
    await pass(600);
    [others, isSettled] = [[950], true];
    await pass(10);
    others = [];
    await pass(10);
    [own, others] = [1000, [0]];
    create(0);
    await pass(10);
    expect(rebalancer.shed).toBe(0);
    expect(rebalancer.isAboveShare).toBe(false);
  });

  it.each([
    ['all', 1],
    ['most', 0.6],
  ])('stops after a few connections if %s of them come back, and tries again less and less often', async (_, part) => {
    stay = part;
    await pass(20);
    expect(rebalancer.shed).toBeLessThanOrEqual(20);
    await pass(600);
    expect(rebalancer.shed).toBeLessThanOrEqual(100);
    const { shed } = rebalancer;
    await pass(6000);
    expect(rebalancer.shed - shed).toBeLessThanOrEqual(100);
  });

  it.each([
    ['1.1 times the mean', true, 1090, 1110],
    ['1.05 times the mean while relays come and go', false, 1040, 1060],
  ])('refuses new clients above %s, and not below', async (_, settled, below, above) => {
    isSettled = settled;
    [own, others] = [below, [2000 - below]];
    await pass(6);
    expect(rebalancer.isAboveShare).toBe(false);
    [own, others] = [above, [2000 - above]];
    await pass(6);
    expect(rebalancer.isAboveShare).toBe(true);
  });

  it('refuses new clients from just below the mean on while it sheds, so that they fill the emptier relays', async () => {
    isSettled = false;
    [own, others] = [960, [...Array(18).fill(1054), 50]];
    await pass(6);
    expect(rebalancer.isAboveShare).toBe(false);
    isSettled = true;
    await pass(2);
    expect(rebalancer.isAboveShare).toBe(true);
    own = 940;
    await pass(2);
    expect(rebalancer.isAboveShare).toBe(false);
  });

  it('refuses no clients for a difference of a few connections', async () => {
    [own, others] = [12, [0]];
    await pass(10);
    expect(rebalancer.isAboveShare).toBe(false);
  });

  it.each([EXCHANGE_INTERVAL_MS, MAX_EXCHANGE_INTERVAL_MS])(
    'refuses no clients once it has had no view of the cluster for three exchanges of %i ms',
    async (intervalMs) => {
      await pass(intervalMs / 1000, intervalMs);
      expect(rebalancer.isAboveShare).toBe(true);
      await vi.advanceTimersByTimeAsync(2 * intervalMs);
      expect(rebalancer.isAboveShare).toBe(true);
      await vi.advanceTimersByTimeAsync(1);
      expect(rebalancer.isAboveShare).toBe(false);
    },
  );

  it('stops immediately when it drains, and from then on refuses all that it may', async () => {
    [own, others] = [500, [500]];
    await pass(2);
    expect(rebalancer.isAboveShare).toBe(false);
    rebalancer.drain();
    expect(rebalancer.isAboveShare).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([rebalancer.isAboveShare, rebalancer.shed]).toEqual([true, 0]);
  });
});

describe('relays that exchange loads', () => {
  const PER_SECOND = 50;

  /** Relays of one cluster with unsynchronised exchanges, behind a proxy that sends each client to the emptiest relay. */
  function createCluster(seed: number) {
    const [time, random] = [new VirtualTime(), new SeededRandom(seed)];
    const clock = time.clock(() => random.next());
    const broker = new MemoryBroker({ nowMs: () => time.nowMs });
    const relays: { held: number; rebalancer: Rebalancer }[] = [];
    function comeBack(count: number): void {
      const [emptiest] = [...relays].sort((a, b) => a.held - b.held);
      if (emptiest) emptiest.held += count;
    }
    function add(held: number): RelayRegistryView {
      const rebalancer = new Rebalancer({
        perSecond: PER_SECOND,
        clock,
        shed(count) {
          relay.held -= count;
          clock.after(random.between(0, 1000), () => comeBack(count));
          return count;
        },
      });
      const relay = { held, rebalancer };
      relays.push(relay);
      const view = new RelayRegistryView({
        id: `relay-${relays.length}`,
        registry: broker,
        clock,
        load: () => ({ connections: relay.held, shed: rebalancer.shed }),
        freshnessMs: 6000,
        exchanged: (cluster) => rebalancer.evaluate(cluster),
      });
      clock.after(random.between(0, EXCHANGE_INTERVAL_MS), () => view.start());
      return view;
    }
    /** Connects `perSecond` clients to each of these relays, a part of them every 50 ms. */
    async function storm(perSecond: number, seconds: number, to = relays): Promise<void> {
      for (let n = 0; n < seconds * 20; n += 1) {
        for (const relay of to) relay.held += perSecond / 20;
        await time.runFor(50);
      }
    }
    const shed = () => relays.reduce((sum, { rebalancer }) => sum + rebalancer.shed, 0);
    const refusing = () => relays.filter(({ rebalancer }) => rebalancer.isAboveShare).length;
    const worst = () => {
      const mean = relays.reduce((sum, { held }) => sum + held, 0) / relays.length;
      return Math.max(...relays.map(({ held }) => Math.abs(held / mean - 1)));
    };
    return { time, relays, add, storm, shed, refusing, worst };
  }

  it.each([
    ['two', 2, 20],
    ['four', 4, 20],
    ['twenty', 20, 20],
    ['250', 250, 1],
  ])(
    'shed and refuse nothing while clients come to all of %s at once, be they empty or not',
    async (_, count, seeds) => {
      for (let seed = 1; seed <= seeds; seed += 1) {
        const cluster = createCluster(seed);
        for (let n = 0; n < count; n += 1) cluster.add(0);
        await cluster.time.runFor(SETTLED_AFTER_MS + 2 * EXCHANGE_INTERVAL_MS + seed * 100);
        for (let s = 0; s < 8; s += 1) {
          await cluster.storm(1000, 1);
          expect([seed, cluster.refusing()]).toEqual([seed, 0]);
        }
        await cluster.time.runFor(5000);
        await cluster.storm(8000, 4);
        await cluster.time.runFor(10_000);
        expect([seed, cluster.shed()]).toEqual([seed, 0]);
      }
    },
  );

  it('shed the clients that only one of them got, at the configured rate', async () => {
    const cluster = createCluster(1);
    for (let n = 0; n < 2; n += 1) cluster.add(0);
    await cluster.time.runFor(SETTLED_AFTER_MS + 2 * EXCHANGE_INTERVAL_MS);
    await cluster.storm(500, 4, cluster.relays.slice(0, 1));
    await cluster.time.runFor((1000 / PER_SECOND) * 1000 + 10 * EXCHANGE_INTERVAL_MS);
    expect(cluster.worst()).toBeLessThanOrEqual(0.125);
    expect(cluster.shed()).toBeLessThan(1100);
  });

  it('are within an eighth of the mean 100 s after two minutes, and a few, after a fourth joins three of 20,000, as deploy/README.md says', async () => {
    const cluster = createCluster(1);
    for (let n = 0; n < 3; n += 1) cluster.add(20_000);
    await cluster.time.runFor(SETTLED_AFTER_MS + 10_000);
    cluster.add(0);
    await cluster.time.runFor(SETTLED_AFTER_MS);
    expect(cluster.shed()).toBe(0);
    await cluster.time.runFor(80_000);
    expect(cluster.worst()).toBeGreaterThan(0.125);
    await cluster.time.runFor(20_000 + 6 * EXCHANGE_INTERVAL_MS);
    expect(cluster.worst()).toBeLessThan(0.125);
    expect(cluster.shed()).toBeLessThan(15_000 * 1.05);
  });

  it('shed nothing until two minutes after a relay joined, drained or was killed', async () => {
    for (const change of ['join', 'drain', 'kill'] as const) {
      const cluster = createCluster(1);
      const views = [5000, 5000, 100].map((held) => cluster.add(held));
      await cluster.time.runFor(SETTLED_AFTER_MS - 2000);
      const [, , third] = views;
      if (change === 'join') cluster.add(0);
      else if (change === 'drain') third?.drain();
      else await third?.stop();
      if (change !== 'join') cluster.add(100); // so that there is something to shed
      await cluster.time.runFor(SETTLED_AFTER_MS - 2000);
      expect([change, cluster.shed()]).toEqual([change, 0]);
      if (change === 'drain') await third?.stop();
      await cluster.time.runFor(SETTLED_AFTER_MS + 10_000);
      expect([change, cluster.shed() > 0]).toEqual([change, true]);
    }
  });
});
