import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Hub } from '../../../../services/relay/hub/hub.ts';
import { Sessions } from '../../../../services/relay/session/sessions.ts';
import type { Digest, Probe, Witness } from '../../../../services/shared/broker/broker.ts';
import { MemoryBroker } from '../../../../services/shared/broker/memory-broker.ts';
import { SYSTEM_CLOCK } from '../../../../services/shared/clock.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import type { Version } from '../../../../services/shared/update/update.ts';
import { FakeSessionConnection, FakeSessionReport } from '../../../support/session-fixture.ts';

const TOPICS = ['a', 'b'] as Topic[];
const WINDOW_MS = 10_000;
/** A client that connects is notified of a floor for this long: a minute after its spread. */
const FLOOR_RECENT_MS = 60_000 + WINDOW_MS;

/** Believes no witness, so that floors are raised by the tests alone. */
class UnimpressedBroker extends MemoryBroker {
  override digest(partition: number, _witness: Witness, cursor: number): Promise<Digest> {
    return super.digest(partition, { epoch: '', version: 0 }, cursor);
  }

  override probe(partition: number, _witness: Witness, waitMs: number): Promise<Probe> {
    return super.probe(partition, { epoch: '', version: 0 }, waitMs);
  }
}

describe('sessions of clients that cannot spread their refetch', () => {
  let hub: Hub;
  let broker: MemoryBroker;
  let connection: FakeSessionConnection;
  let sessions: Sessions;
  let session: ReturnType<Sessions['accept']>;
  let report: FakeSessionReport;

  beforeEach(async () => {
    vi.useFakeTimers();
    report = new FakeSessionReport();
    broker = new UnimpressedBroker();
    const silent = new Proxy({}, { get: () => () => {} });
    hub = new Hub({
      feed: broker,
      clock: SYSTEM_CLOCK,
      report: silent as never,
      repairIntervalMs: 3000,
      floorSpreadMs: WINDOW_MS,
    });
    hub.deliverTo({
      deliver: (update, paced) => Number(!paced && connection.sendUpdate(update)),
      sendFreshness() {},
      pace: (since, windowMs) => sessions.pace(since, windowMs),
      spreadMs: () => 0,
    });
    const limits = { maxTopics: 10, maxRelayTopics: Number.POSITIVE_INFINITY, messagesPerSecond: 0 };
    const shared = { hub, clock: SYSTEM_CLOCK, limits, authorization: undefined };
    sessions = new Sessions({ ...shared, report });
    await broker.start();
    hub.start();
    connection = new FakeSessionConnection('legacy');
    session = sessions.accept(connection, { topics: new Map(TOPICS.map((topic) => [topic, null])), token: undefined });
    await vi.advanceTimersByTimeAsync(100);
  });
  afterEach(() => {
    hub.stop();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** The topics of the updates that the client was sent, in order. */
  const updated = () =>
    connection.sent.filter((what) => what.startsWith('update ')).map((what) => what.split(' ')[1] as Topic);
  const figures = () => ({ updated: updated(), sends: report.sends, timesBehind: report.timesBehind });
  const soon = (): Version => Date.now() * 1000 + 1_000_000;

  it('are notified once of floors that are raised one after another, as those of all partitions are', async () => {
    for (let n = 0; n < 16; n += 1) {
      hub.raiseFloor(0, soon() + n);
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(updated()).toEqual([]);
    await vi.advanceTimersByTimeAsync(WINDOW_MS);
    expect(updated()).toEqual(TOPICS);
  });

  it('are counted when their paced update is sent, and not before', async () => {
    await broker.publish('a' as Topic, { spread: 1000 }, { epoch: '', version: 0 });
    await vi.advanceTimersByTimeAsync(0);
    expect(report.sends).toBe(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(figures()).toEqual({ updated: ['a'], sends: 1, timesBehind: 0 });
    expect(report.timesBehind).toBe(0); // it was made to wait
  });

  it('are behind if there is no room when their paced update is due', async () => {
    connection.room = false;
    await broker.publish('a' as Topic, { spread: 1000 }, { epoch: '', version: 0 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(figures()).toEqual({ updated: [], sends: 0, timesBehind: 1 });
    connection.room = true;
    session.drained();
    expect(figures()).toEqual({ updated: ['a'], sends: 1, timesBehind: 1 });
  });

  it('are not counted twice if a delivery that was counted reaches them late', async () => {
    connection.room = false;
    await broker.publish('a' as Topic, {}, { epoch: '', version: 0 });
    await vi.advanceTimersByTimeAsync(1);
    session.fellBehind();
    connection.room = true;
    session.drained();
    expect(figures()).toEqual({ updated: ['a'], sends: 0, timesBehind: 1 });
  });

  it('are notified again of a floor that is raised after their notification', async () => {
    for (let n = 1; n <= 2; n += 1) {
      hub.raiseFloor(0, soon());
      await vi.advanceTimersByTimeAsync(WINDOW_MS);
      expect(updated()).toHaveLength(n * TOPICS.length);
    }
  });

  it('are notified of a raised floor also if they fell behind before their turn', async () => {
    hub.raiseFloor(0, soon());
    await vi.advanceTimersByTimeAsync(0);
    connection.room = false;
    for (let n = 0; n < 2; n += 1) {
      await broker.publish('a' as Topic, {}, { epoch: '', version: soon() });
      await vi.advanceTimersByTimeAsync(1);
    }
    session.fellBehind();
    await vi.advanceTimersByTimeAsync(WINDOW_MS);
    connection.room = true;
    session.drained();
    expect(new Set(updated())).toEqual(new Set(TOPICS));
  });

  it('leave no timer behind when they disconnect', async () => {
    // So that the hub waits already for topics that were left.
    sessions
      .accept(new FakeSessionConnection('legacy'), { topics: new Map([['c' as Topic, null]]), token: undefined })
      .closed();
    hub.raiseFloor(0, soon());
    await vi.advanceTimersByTimeAsync(0);
    expect(sessions.countBehind('a' as Topic)).toBe(1);
    const before = vi.getTimerCount();
    session.closed();
    expect(vi.getTimerCount()).toBe(before - 1);
    expect([sessions.countBehind('a' as Topic), sessions.size]).toEqual([0, 0]);
  });

  it('are notified of a floor raised within the last minute when they connect, and not of an older one', async () => {
    const come = async () => {
      connection = new FakeSessionConnection('legacy');
      sessions.accept(connection, { topics: new Map([['elsewhere' as Topic, null]]), token: undefined });
      await vi.advanceTimersByTimeAsync(100);
      return updated();
    };
    expect(await come()).toEqual([]);
    hub.raiseFloor(0, Date.now() * 1000 + 1);
    expect(await come()).toEqual(['elsewhere']);
    await vi.advanceTimersByTimeAsync(FLOOR_RECENT_MS - 1000);
    expect(await come()).toEqual(['elsewhere']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await come()).toEqual([]);
  });

  it('are notified early enough for the newest update, if an earlier one has a longer spread', async () => {
    await broker.publish('a' as Topic, { spread: 3_600_000 }, { epoch: '', version: 0 });
    await vi.advanceTimersByTimeAsync(1);
    await broker.publish('b' as Topic, { spread: 1000 }, { epoch: '', version: 0 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(figures()).toEqual({ updated: TOPICS, sends: 2, timesBehind: 0 });
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(updated()).toEqual(TOPICS);
  });

  it('keep their time within a spread that updates repeat, so that they do not all get the first of them', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.9);
    await broker.publish('a' as Topic, { spread: 1000 }, { epoch: '', version: 0 });
    await vi.advanceTimersByTimeAsync(1);
    random.mockReturnValue(0);
    await broker.publish('a' as Topic, { spread: 1000 }, { epoch: '', version: 0 });
    await vi.advanceTimersByTimeAsync(890);
    expect(updated()).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(updated()).toEqual(['a']);
  });
});
