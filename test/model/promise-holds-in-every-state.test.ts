import { describe, expect, it } from 'vitest';
import { searchModel } from './spin.ts';

/** One update by webhook ONE, one relay and one fault, unless a search says otherwise; the last value of a macro counts. */
const SMALL = { PUBLISHES: 1, OTHERS: 0, RELAYS: 1, MOVES: 0, FAULTS: 1, MAX_VERSION: 7 };
/** The reply of a digest is applied at once. Without it, anything may happen in between. */
const ATOMIC = { ATOMIC_DIGEST: 1 };
/** Signals are lost with their subscription only, which is enough beside a client that moves. */
const TWO_RELAYS = { ...ATOMIC, RELAYS: 2, MOVES: 1, MAX_VERSION: 5, LOST_SIGNALS: 0 };

/** Probes with markers, and digests as their fallback. */
const MARKERS = { ...ATOMIC, MARKERS: 1 };

/** A clock that is behind assigns versions below those that older data lack. */
const BELOW = { ...ATOMIC, RECEIPTS: 1, CLOCK: 1, RELOAD: 1, GAP: 1, PUBLISHES: 2, FAULTS: 2 };

type Defines = Readonly<Record<string, number>>;

/** Half the retention passes twice, so that registers expire; a relay forgets a topic that no client subscribes to. */
const RETENTION = { ...ATOMIC, RETENTION: 1, FAULTS: 2 };

function search(defines: Defines, options: { endless?: boolean } = {}) {
  const macros = Object.entries({ ...SMALL, ...defines }).map(([name, value]) => `${name}=${value}`);
  return searchModel(macros, options);
}

describe('in every state of the model', () => {
  it.each<[string, Defines]>([
    ['the master restarts, empty or with older data', { RESTART: 1, OTHERS: 1 }],
    ['the master restarts between two updates', { RESTART: 1, PUBLISHES: 2, ...ATOMIC }],
    ['the running master loses its data, or loads older ones', { RELOAD: 1, OTHERS: 1 }],
    ['a replica is promoted, and the master may live on', { FAILOVER: 1 }],
    ['a replica is promoted, and the clocks are behind', { FAILOVER: 1, BEHIND: 1, PUBLISHES: 2, ...ATOMIC }],
    ['the clock steps, and the master restarts', { CLOCK: 1, RESTART: 1, FAULTS: 2, ...ATOMIC }],
    ['the clock steps, and the master loads older data', { CLOCK: 1, RELOAD: 1, OTHERS: 1, FAULTS: 2, ...ATOMIC }],
    ['a subscription is lost', { LINKS: 1, OTHERS: 1 }],
    ['a subscription is lost, beside probes with markers', { LINKS: 1, MARKERS: 1 }],
    ['a replica is promoted, and passes on signals and markers of its master', { FAILOVER: 1, ...MARKERS }],
    ['the client changes to a relay that has just started', { RELAY_RESTART: 1, ...TWO_RELAYS }],
    ['a delivery is confirmed during a failover', { FAILOVER: 1, RECEIPTS: 1, ...ATOMIC }],
    ['a delivery is confirmed after older data were loaded, and the clock steps', BELOW],
    ['a register expires while the client is away', { ...RETENTION, MOVES: 1 }],
    ['a register expires before the relay lists it', { ...RETENTION, OTHERS: 1 }],
  ])('nobody who is current lacks an update, and all know it two intervals later, if %s', async (_fault, defines) => {
    expect(await search(defines)).toEqual({ states: expect.any(Number) });
  });

  it.runIf(process.env.MODEL_LONG)(
    'the same holds if the client changes relays while the master restarts',
    async () => {
      expect(await search({ RESTART: 1, ...TWO_RELAYS })).toEqual({ states: expect.any(Number) });
    },
  );

  it('no client fetches for nothing if a master takes another replication id', async () => {
    expect(await search({ REPLID: 1, OTHERS: 1, NO_NEEDLESS_RAISE: 1 })).toEqual({ states: expect.any(Number) });
  });

  it('no client fetches twice after one restart', async () => {
    const defines = { RESTART: 1, PUBLISHES: 0, RELAYS: 2, NO_NEEDLESS_RAISE: 1 };
    expect(await search(defines)).toEqual({ states: expect.any(Number) });
  });
});

describe('a rule that is left out is missed, so it is needed and the model can fail:', () => {
  it.each<[string, string, Defines]>([
    ['EPOCH', 'the identity of the server is compared', { RESTART: 1, OTHERS: 1, ...ATOMIC }],
    ['FLOOR', 'a raised floor notifies clients', { RESTART: 1, OTHERS: 1, ...ATOMIC }],
    ['REPAIR', 'a digest brings updates without a signal', { LINKS: 1, ...ATOMIC }],
    [
      'LISTED',
      'a version that a digest names counts if the register that is read is older',
      { FAILOVER: 1, PUBLISHES: 2 },
    ],
    ['RESUME', 'a client names its version', { RELAY_RESTART: 1, ...TWO_RELAYS }],
    ['LAST', 'versions are above the last one of the partition', { CLOCK: 1, OTHERS: 1, ...ATOMIC }],
    ['PROMISED', 'a webhook shows what it was assigned', { RELOAD: 1, OTHERS: 1, ...ATOMIC }],
    ['SPLIT_BRAIN', 'a webhook shows what it acknowledged under another epoch', { FAILOVER: 1, OTHERS: 1, ...ATOMIC }],
    ['REMINDER', 'a webhook shows its witness also if nobody publishes', { FAILOVER: 1, ...ATOMIC }],
    ['REPLID', 'another replication id alone is no loss', { REPLID: 1, NO_NEEDLESS_RAISE: 1 }],
    [
      'RAISE_ORDER',
      'a digest that was overtaken does not bring back an older raise',
      { RESTART: 1, PUBLISHES: 0, RELAYS: 2, NO_NEEDLESS_RAISE: 1 },
    ],
    ['MARKER_NUMBER', 'a late marker does not count for the next probe', { LINKS: 1, ...MARKERS }],
    ['RELAPSED', 'a new connection proves nothing before topics were watched and read again', { LINKS: 1, ...MARKERS }],
    ['CONTINUED', 'a marker of other data does not count', { FAILOVER: 1, ...MARKERS }],
    ['FALLBACK', 'changes are listed if a marker does not arrive', { LINKS: 1, ...MARKERS }],
    [
      'MARKER_SERVER',
      'a marker counts if the server of the subscription has published it',
      { FAILOVER: 1, ...MARKERS },
    ],
    ['STALE', 'a relay that has proven nothing for long acknowledges no client', { ...RETENTION, MOVES: 1 }],
    ['BASE', 'a topic without a register has a version, which grows', { ...RETENTION, MOVES: 1 }],
    ['RECEIPT_FLOOR', 'a newer version is a delivery only if it was assigned later', BELOW],
    ['EXPIRED', 'a relay that was cut off for long notifies if registers are gone', { ...RETENTION, OTHERS: 1 }],
  ])('%s (%s)', async (rule, _meaning, defines) => {
    const { counterexample } = await search({ ...defines, [`DROP_${rule}`]: 1 });
    expect(counterexample?.steps.length).toBeGreaterThan(0);
  });
});

describe('of two rules, one is enough:', () => {
  it('MARKER_CHANNEL or LOSSES (a marker counts on the connection from which it was requested)', async () => {
    const defines = { LINKS: 1, MARKERS: 1 };
    const { counterexample } = await search({ ...defines, DROP_MARKER_CHANNEL: 1, DROP_LOSSES: 1 });
    expect(counterexample?.steps.length).toBeGreaterThan(0);
    expect(await search({ ...defines, DROP_MARKER_CHANNEL: 1 })).toEqual({ states: expect.any(Number) });
    expect(await search({ ...defines, DROP_LOSSES: 1 })).toEqual({ states: expect.any(Number) });
  });

  it('RELAPSED without LISTED_FIRST (a new connection proves nothing before changes were listed)', async () => {
    const defines = { LINKS: 1, MARKERS: 1, DROP_LISTED_FIRST: 1 };
    expect(await search(defines)).toEqual({ states: expect.any(Number) });
  });
});

describe('in every endless run of the model in which no process stops', () => {
  it.each<[string, Defines]>([
    ['a subscription is lost', { LINKS: 1 }],
    ['a subscription is lost, beside probes with markers', { LINKS: 1, MARKERS: 1 }],
    ['the master restarts, empty or with older data', { RESTART: 1 }],
    ['the running master loses its data, or loads older ones', { RELOAD: 1 }],
    ['the relay is replaced by another process', { RELAY_RESTART: 1 }],
    ['a replica is promoted, and the master may live on', { FAILOVER: 1 }],
  ])('the client comes to know every update, if %s', async (_fault, defines) => {
    expect(await search({ ...defines, MAX_VERSION: 12 }, { endless: true })).toEqual({ states: expect.any(Number) });
  });

  it.each<[string, string, Defines]>([
    ['NEXT_ROUND', 'a relay goes on after a call that failed', { FAILOVER: 1 }],
    ['RESUBSCRIBE', 'a relay subscribes again', { LINKS: 1 }],
    ['RECONNECT', 'a client connects again', { RELAY_RESTART: 1 }],
    ['REMINDER', 'a webhook shows its witness also if nobody publishes', { FAILOVER: 1 }],
  ])('%s (%s): it does not without this rule', async (rule, _meaning, defines) => {
    const { endlessRun } = await search({ ...defines, [`DROP_${rule}`]: 1, MAX_VERSION: 12 }, { endless: true });
    expect(endlessRun?.length).toBeGreaterThan(0);
  });
});
