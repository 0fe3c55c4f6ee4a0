import { describe, expect, it } from 'vitest';
import { ReceivedVersions } from '../../../../services/loadtest/clients/received-versions.ts';
import { Latency } from '../../../../services/loadtest/measure/latency.ts';

const CLIENT = { isLegacy: false, isSlow: false, topics: 2 };

/** Two clients: the first has the topics 0 and 1, the second 1 and 0. */
function create(): ReceivedVersions {
  const assignment = { topics: 2, topicsPerClient: 2, spread: 'even', prefix: 't' } as const;
  return new ReceivedVersions({ assignment, clients: 2, numberOf: (client) => client });
}

const update = (topic: string, version: number, sequence?: number) => ({
  topic,
  version,
  stamp: sequence === undefined ? undefined : { dueMs: 0, sequence },
});

describe('received versions', () => {
  it('tell new updates from duplicates and from those of other topics', () => {
    const received = create();
    expect(received.recordUpdate(0, update('t0', 5), 1)).toBe('new');
    expect(received.recordUpdate(0, update('t0', 5), 1)).toBe('duplicate');
    expect(received.recordUpdate(0, update('t0', 4), 1)).toBe('duplicate');
    expect(received.recordUpdate(0, update('t2', 9), 1)).toBe('not subscribed');
    expect(received.recordUpdate(1, update('t0', 5), 1)).toBe('new');
  });

  it('are sent as `since` on reconnect, in the order of the topics of the client', () => {
    const received = create();
    expect(received.since(1)).toBeUndefined();
    received.recordUpdate(1, update('t0', 5), 1);
    expect(received.since(1)).toEqual([0, 5]);
    received.recordUpdate(1, update('t1', 7), 1);
    expect(received.since(1)).toEqual([7, 5]);
  });

  it('start with the current version, which never replaces a received one', () => {
    const received = create();
    expect(received.has(0, 't0')).toBe(false);
    received.recordCurrent(0, 't0', 5, 1);
    expect(received.has(0, 't0')).toBe(true);
    received.recordCurrent(0, 't0', 9, 1);
    expect(received.since(0)).toEqual([5, 0]);
    received.recordCurrent(0, 'other', 9, 1);
    expect(received.has(0, 'other')).toBe(false);
  });

  it('count the signals of a legacy connection', () => {
    const received = create();
    expect(received.signalCount(0)).toBeUndefined();
    received.setSignalCount(0, 0);
    expect(received.signalCount(0)).toBe(0);
    received.setSignalCount(0, 3);
    expect(received.signalCount(0)).toBe(3);
    received.disconnected(0);
    expect(received.signalCount(0)).toBeUndefined();
    expect(received.signalCount(1)).toBeUndefined();
  });

  it('count skipped updates, except those from before or between connections', () => {
    const received = create();
    received.recordUpdate(0, update('t0', 1, 7), 1);
    expect(received.skipped).toBe(0);
    received.recordUpdate(0, update('t0', 2, 8), 1);
    received.recordUpdate(0, update('t0', 3, 12), 1);
    expect(received.skipped).toBe(3);
    received.disconnected(0);
    received.recordUpdate(0, update('t0', 4, 20), 1);
    expect(received.skipped).toBe(3);
  });
});

describe('a check of the last update', () => {
  const last = { versions: [10, 20], dueMs: [1000, 2000] };
  const decode = (text: string | undefined) => {
    const latency = new Latency();
    latency.add(text);
    return latency;
  };

  it('requires the newest version of each topic and takes the latency of the latest', () => {
    const received = create();
    received.recordUpdate(0, update('t0', 10), 1700);
    received.recordUpdate(0, update('t1', 20), 2300);
    received.recordUpdate(1, update('t0', 10), 1100);
    received.recordUpdate(1, update('t1', 19), 2100);
    const result = received.check(last, 30_000, () => CLIENT);
    expect(result).toMatchObject({ clients: 2, behind: 1, behindSlow: 0 });
    expect(decode(result.notified).summary()).toMatchObject({ count: 1, max: expect.closeTo(700, 0) });
  });

  it('counts the clients that had it at the given time, even if it runs later', () => {
    const received = create();
    for (const client of [0, 1]) received.recordUpdate(client, update('t0', 10), 1100);
    received.recordUpdate(0, update('t1', 20), 2900);
    received.recordUpdate(1, update('t1', 20), 3100);
    expect(received.check(last, 3000, () => CLIENT)).toMatchObject({ clients: 2, behind: 1 });
    expect(received.check(last, 7000, () => CLIENT)).toMatchObject({ clients: 2, behind: 0 });
  });

  it('accepts any later signal of the legacy protocol', () => {
    const received = create();
    received.recordSignal(0, 2500);
    received.recordSignal(1, 1500); // topic 1 was due later
    expect(received.check(last, 30_000, () => ({ ...CLIENT, isLegacy: true }))).toMatchObject({
      clients: 2,
      behind: 1,
    });
  });

  it('counts slow readers separately and leaves out excluded clients', () => {
    const received = create();
    received.recordUpdate(1, update('t0', 10), 1100);
    const result = received.check(last, 30_000, (client) => (client === 0 ? { ...CLIENT, isSlow: true } : undefined));
    expect(result).toEqual({ clients: 1, behind: 0, behindSlow: 1, notified: undefined });
  });

  it('finds no client behind if no update was accepted', () => {
    expect(create().check({ versions: [0, 0], dueMs: [0, 0] }, 30_000, () => CLIENT)).toMatchObject({
      clients: 2,
      behind: 0,
    });
  });

  it('checks only the first topic of a client with a single topic', () => {
    const received = create();
    received.recordUpdate(0, update('t0', 10), 1100);
    expect(received.check(last, 30_000, (client) => (client === 0 ? { ...CLIENT, topics: 1 } : undefined)).behind).toBe(
      0,
    );
  });
});
