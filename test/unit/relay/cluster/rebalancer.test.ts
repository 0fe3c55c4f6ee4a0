import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Rebalancer } from '../../../../services/relay/cluster/rebalancer.ts';
import { EXCHANGE_INTERVAL_MS, RelayRegistryView } from '../../../../services/relay/cluster/relay-registry-view.ts';
import { MemoryBroker } from '../../../../services/shared/broker/memory-broker.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import { SeededRandom } from '../../../simulator/seeded-random.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

describe('a relay with a surplus of connections', () => {
  let own: number;
  let others: number[];
  let stay: number;
  let away: number;
  let rebalance: Rebalancer;

  function create(perSecond: number): void {
    rebalance = new Rebalancer({
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
      rebalance.evaluate({ relays: others.length + 1, own, connections });
      await vi.advanceTimersByTimeAsync(EXCHANGE_INTERVAL_MS);
    }
  }

  it('sheds its surplus at a bounded rate, and no more', async () => {
    await pass(4);
    expect(away).toBeGreaterThan(150);
    expect(away).toBeLessThanOrEqual(210);
    await pass(30);
    expect(own).toBeGreaterThanOrEqual(500);
    expect(own).toBeLessThanOrEqual(520);
  });

  it('sheds nothing if it is near the mean, alone, or rebalancing is disabled', async () => {
    others = [950];
    await pass(10);
    others = [];
    await pass(10);
    [own, others] = [1000, [0]];
    create(0);
    await pass(10);
    expect(away).toBe(0);
  });

  it('sheds less and less often if the clients come back', async () => {
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

  it('stops immediately when it drains', async () => {
    rebalance.evaluate({ relays: 2, own, connections: own });
    rebalance.stop();
    const before = away;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(away).toBe(before);
  });
});

describe('relays that exchange loads every two seconds', () => {
  const PER_SECOND = 50;

  /** Relays of one cluster with unsynchronised exchanges, behind a proxy that sends each client to the emptiest relay. */
  function createCluster(seed: number) {
    const [time, random] = [new VirtualTime(), new SeededRandom(seed)];
    const clock = time.clock(() => random.next());
    const broker = new MemoryBroker({ nowMs: () => time.nowMs });
    const relays: { held: number; shed: number }[] = [];
    function comeBack(count: number): void {
      const [emptiest] = [...relays].sort((a, b) => a.held - b.held);
      if (emptiest) emptiest.held += count;
    }
    function add(held: number): void {
      const relay = { held, shed: 0 };
      relays.push(relay);
      const rebalance = new Rebalancer({
        perSecond: PER_SECOND,
        clock,
        shed(count) {
          relay.held -= count;
          relay.shed += count;
          clock.after(random.between(0, 1000), () => comeBack(count));
          return count;
        },
      });
      const picture = new RelayRegistryView({
        id: `relay-${relays.length}`,
        registry: broker,
        clock,
        connections: () => relay.held,
        freshnessMs: 6000,
        exchanged: (view) => rebalance.evaluate(view),
      });
      clock.after(random.between(0, EXCHANGE_INTERVAL_MS), () => picture.start());
    }
    /** Connects `perSecond` clients to each of these relays, a part of them every 50 ms. */
    async function storm(perSecond: number, seconds: number, to = relays): Promise<void> {
      for (let n = 0; n < seconds * 20; n += 1) {
        for (const relay of to) relay.held += perSecond / 20;
        await time.runFor(50);
      }
    }
    const shed = () => relays.reduce((sum, relay) => sum + relay.shed, 0);
    const worst = () => {
      const mean = relays.reduce((sum, { held }) => sum + held, 0) / relays.length;
      return Math.max(...relays.map(({ held }) => Math.abs(held / mean - 1)));
    };
    return { time, relays, add, storm, shed, worst };
  }

  it.each([
    ['two', 2],
    ['four', 4],
    ['twenty', 20],
  ])('shed nothing while clients come to all of %s at once, be they empty or not', async (_, count) => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const cluster = createCluster(seed);
      for (let n = 0; n < count; n += 1) cluster.add(0);
      await cluster.time.runFor(EXCHANGE_INTERVAL_MS + seed * 100); // all have started before the first client connects
      await cluster.storm(1000, 8);
      await cluster.time.runFor(5000);
      await cluster.storm(8000, 4);
      await cluster.time.runFor(10_000);
      expect([seed, cluster.shed()]).toEqual([seed, 0]);
    }
  });

  it('shed the clients that only one of them got, at the configured rate', async () => {
    const cluster = createCluster(1);
    for (let n = 0; n < 2; n += 1) cluster.add(0);
    await cluster.time.runFor(EXCHANGE_INTERVAL_MS);
    await cluster.storm(500, 4, cluster.relays.slice(0, 1));
    await cluster.time.runFor((1000 / PER_SECOND) * 1000 + 4 * EXCHANGE_INTERVAL_MS);
    expect(cluster.worst()).toBeLessThan(0.1);
    expect(cluster.shed()).toBeLessThan(1100);
  });

  it('are within 10 % of the mean 100 s, and a few, after a fourth joins three of 20,000, as deploy/README.md says', async () => {
    const cluster = createCluster(1);
    for (let n = 0; n < 3; n += 1) cluster.add(20_000);
    await cluster.time.runFor(10_000);
    cluster.add(0);
    await cluster.time.runFor(80_000);
    expect(cluster.worst()).toBeGreaterThan(0.1);
    await cluster.time.runFor(20_000 + 3 * EXCHANGE_INTERVAL_MS);
    expect(cluster.worst()).toBeLessThan(0.1);
    expect(cluster.shed()).toBeLessThan(15_000 * 1.05);
  });
});
