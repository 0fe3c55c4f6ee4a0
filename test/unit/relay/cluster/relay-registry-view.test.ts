import { beforeEach, describe, expect, it } from 'vitest';
import { type ClusterView, RelayRegistryView } from '../../../../services/relay/cluster/relay-registry-view.ts';
import { MemoryBroker } from '../../../../services/shared/broker/memory-broker.ts';
import { exchangeIntervalMs } from '../../../../services/shared/broker/retention.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

let time: VirtualTime;
let broker: MemoryBroker;

/** Creates a view that registers a relay with some connections, and records what it is shown. */
function createRelay(id: string, connections: number, freshnessMs = 6000) {
  const views: ClusterView[] = [];
  const view = new RelayRegistryView({
    id,
    registry: broker,
    clock: time.clock(() => 0.5),
    load: () => ({ connections, shed: 0 }),
    freshnessMs,
    exchanged: (shown) => void views.push(shown),
  });
  return { view, views };
}

const registered = async () => [...(await broker.receipts.membership()).relays].sort();

beforeEach(() => {
  time = new VirtualTime(1_790_000_000_000);
  broker = new MemoryBroker({ nowMs: () => time.nowMs });
});

describe('a relay that shuts down', () => {
  it('stays registered until it stops, and is not part of the mean of the others meanwhile', async () => {
    const [leaving, staying] = [createRelay('leaving', 24), createRelay('staying', 10)];
    leaving.view.start();
    staying.view.start();
    await time.runFor(4500);
    expect(staying.views.at(-1)).toMatchObject({ own: 10, others: [24] });

    const shown = leaving.views.length;
    leaving.view.drain();
    await time.runFor(20_000);
    expect(await registered()).toEqual(['leaving', 'staying']);
    expect(staying.views.at(-1)).toMatchObject({ own: 10, others: [] });
    expect(staying.view.connections).toBe(34); // its clients refetch too
    expect(leaving.views.length).toBe(shown); // it does not rebalance

    await leaving.view.stop();
    expect(await registered()).toEqual(['staying']);
    await staying.view.stop();
  });

  it('registers that at once, also during an exchange', async () => {
    const relay = createRelay('leaving', 24);
    relay.view.start();
    relay.view.drain();
    await time.runFor(1);
    expect(await broker.exchangeLoad('other', { connections: 0 })).toContainEqual({
      connections: 24,
      draining: true,
      isNew: true,
    });
    await relay.view.stop();
  });
});

describe('a registration', () => {
  it.each([
    ['the default interval of repair', 6000, 10_000],
    ['an interval of 10 s', 30_000, 30_000],
  ])('outlives the freshness of its relay by an exchange, with %s', async (_, freshnessMs, leastMs) => {
    const { view } = createRelay('killed', 1, freshnessMs);
    view.start();
    await time.runFor(1);
    broker.exchangeLoad = () => Promise.reject(new Error('unreachable'));
    await time.runFor(leastMs + 2100);
    expect(await registered()).toEqual(['killed']);
    await time.runFor(2500);
    expect(await registered()).toEqual([]);
    await view.stop();
  });
});

describe('the interval of exchanges', () => {
  it.each([
    [1, 2000],
    [100, 2000],
    [150, 3000],
    [350, 7000],
    [1000, 7000],
  ])('of %i relays is %i ms, and an entry outlives it by ten seconds', async (relays, intervalMs) => {
    expect(exchangeIntervalMs(relays)).toBe(intervalMs);
    const ttls: (number | undefined)[] = [];
    const atMs: number[] = [];
    const { view, views } = createRelay('one', 12);
    broker.exchangeLoad = async (_, load) => {
      ttls.push(load?.ttlMs);
      atMs.push(time.nowMs);
      return [{ connections: 12 }, ...(relays > 1 ? [{ relays: relays - 1, connections: 3 }] : [])];
    };
    view.start();
    await time.runFor(30_000);
    // The first exchange knows no other relay yet.
    const [start = 0, second = 0, third = 0] = atMs;
    expect([second - start, third - second]).toEqual([2000, intervalMs]);
    expect(ttls.slice(0, 2)).toEqual([12_200, 10_000 + 1.1 * intervalMs]);
    expect(views.at(-1)?.intervalMs).toBe(intervalMs);
    await view.stop();
  });
});

it('a relay exchanges its load up to a quarter of the interval earlier if it can go with other calls', async () => {
  const atMs: number[] = [];
  const { view } = createRelay('one', 12);
  broker.exchangeLoad = async () => {
    atMs.push(time.nowMs);
    return [{ connections: 12 }];
  };
  const startedAtMs = time.nowMs;
  view.exchangeEarly(); // not started
  view.start();
  await time.runFor(1499);
  view.exchangeEarly();
  await time.runFor(1);
  view.exchangeEarly();
  await time.runFor(2000);
  await view.stop();
  view.exchangeEarly();
  expect(atMs.map((each) => each - startedAtMs)).toEqual([0, 1500, 3500, 3500]); // the last one removes the entry
});

describe('the view of a large cluster', () => {
  it('counts every relay of a group, and leaves itself out', async () => {
    const { view, views } = createRelay('one', 12);
    broker.exchangeLoad = async () => [
      { connections: 3 },
      { relays: 2, connections: 10, shed: 5 },
      { relays: 4, connections: 11 },
      { relays: 2, connections: 30, draining: true },
    ];
    view.start();
    await time.runFor(1);
    expect(views).toEqual([{ intervalMs: 2000, own: 12, others: [3, 10, 10, 11, 11, 11], shed: 5, isSettled: false }]);
    expect(view.connections).toBe(12 + 56 + 60);
    await view.stop();
  });
});
