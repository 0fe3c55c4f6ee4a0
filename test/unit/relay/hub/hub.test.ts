import { describe, expect, it } from 'vitest';
import { type Delivery, Hub } from '../../../../services/relay/hub/hub.ts';
import type { Subscriber } from '../../../../services/relay/hub/pending-subscribers.ts';
import type { FeedHandler, Probe, Witness } from '../../../../services/shared/broker/broker.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import type { Update } from '../../../../services/shared/update/update.ts';
import { FailingBroker } from '../../../support/failing-broker.ts';
import { updateBody } from '../../../support/update-body.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const [A, B] = ['a', 'b'] as [Topic, Topic];
const NOTHING_SEEN: Witness = { epoch: '', version: 0 };
/** The broker's clock is ahead of the monotonic clock by this. */
const AHEAD_MS = 1_790_000_000_000;
const INTERVAL_MS = 3000;
const FLOOR_SPREAD_MS = 10_000;
/** How long a client may take to come from another relay, as long as the interval is short. */
const RECENT_MS = 60_000;
const CLIENTS = 3;

/** A broker whose calls fail, or whose signals are lost, on demand. */
class UnreliableBroker extends FailingBroker {
  losesSignals = false;
  /** Whether probes claim that the signals that were lost have arrived. */
  hidesLosses = false;
  failsReads = false;
  failsWatches = false;
  /** The witnesses of probes and digests. */
  readonly witnesses: Witness[] = [];

  override setFeedHandler(handler: FeedHandler): void {
    super.setFeedHandler({
      deliver: (update) => {
        if (!this.losesSignals) handler.deliver(update);
      },
      raiseFloor: (...raise) => handler.raiseFloor(...raise),
      watchesLost: (partitions) => handler.watchesLost(partitions),
      linkUp: () => handler.linkUp(),
    });
  }

  override async probe(partition: number, witness: Witness, waitMs: number): Promise<Probe> {
    this.witnesses.push(witness);
    const probe = await super.probe(partition, witness, waitMs);
    return this.losesSignals && !this.hidesLosses ? { ...probe, signals: 'unproven' } : probe;
  }

  override async watch(topics: readonly Topic[]): Promise<void> {
    if (this.failsWatches) throw new Error('the broker fails');
    await super.watch(topics);
  }

  override async read(topics: readonly Topic[]): Promise<(Update | undefined)[]> {
    if (this.failsReads) throw new Error('the broker fails');
    return super.read(topics);
  }
}

/** A started hub on a broker in memory, in virtual time. */
async function createHub(options: { maxDataBytes?: number; repairIntervalMs?: number; auditIntervalMs?: number } = {}) {
  const time = new VirtualTime(1_000_000);
  const broker = new UnreliableBroker({ nowMs: () => AHEAD_MS + time.nowMs });
  const deliveries: Delivery[] = [];
  const paces: unknown[] = [];
  const freshness: boolean[] = [];
  const received: unknown[] = [];
  const rounds: string[] = [];
  const counts = { conflated: 0, dataDropped: 0 };
  const wants = { spreadMs: 0 };
  const hub = new Hub({
    feed: broker,
    clock: time.clock(),
    floorSpreadMs: FLOOR_SPREAD_MS,
    repairIntervalMs: INTERVAL_MS,
    ...options,
    report: {
      delivered: (delivery) => void deliveries.push(delivery),
      received: ({ topic, version }, requestedAtMs) => void received.push([topic, version, requestedAtMs]),
      dataDropped: () => {
        counts.dataDropped += 1;
      },
      conflated: () => {
        counts.conflated += 1;
      },
      digested() {},
      digestFailed() {},
      probed() {},
      updatesRepaired() {},
      floorRaised() {},
      deafSubscriptionReplaced() {},
      roundBegun: (cause) => void rounds.push(cause),
      freshness() {},
    },
  });
  hub.deliverTo({
    deliver: () => CLIENTS,
    sendFreshness: (fresh) => void freshness.push(fresh),
    pace: (...args) => void paces.push(args),
    spreadMs: () => wants.spreadMs,
  });
  await broker.start();
  hub.start();
  await time.runFor(1);
  const publish = (topic: Topic, body: Parameters<typeof updateBody>[0] = {}) =>
    broker.publish(topic, updateBody(body), NOTHING_SEEN);
  const subscribe = async (topic: Topic) => {
    hub.subscribe(topic);
    await time.runFor(1);
  };
  const floorNow = () => (AHEAD_MS + time.nowMs) * 1000;
  const seen = { deliveries, paces, freshness, received, rounds, counts };
  return { time, broker, hub, wants, publish, subscribe, floorNow, ...seen };
}

/** A subscriber that counts its notifications. */
function createSubscriber(): Subscriber & { times: number } {
  return {
    times: 0,
    freshnessChanged() {
      this.times += 1;
    },
  };
}

describe('an update', () => {
  it('is delivered at the end of the turn, and only the newest of several', async () => {
    const { time, hub, deliveries, counts, received, publish, subscribe } = await createHub();
    await subscribe(A);
    const older = await publish(A);
    const newer = await publish(A);
    await time.runFor(1);
    expect(deliveries.map(({ update }) => update)).toEqual([{ topic: A, version: newer.version }]);
    expect(counts.conflated).toBe(1);
    expect(received).toEqual([
      [A, older.version, undefined],
      [A, newer.version, undefined],
    ]);
    hub.deliver({ topic: A, version: older.version }); // a signal that was overtaken
    await time.runFor(1);
    expect([deliveries.length, received.length, counts.conflated]).toEqual([1, 2, 1]);
    hub.stop();
  });

  it('is reported with its position, its clients, and its times by the monotonic clock', async () => {
    const { time, hub, deliveries, paces, counts, publish, subscribe } = await createHub();
    await subscribe(A);
    await subscribe(B);
    const publishedAtMs = time.nowMs;
    await publish(A);
    await time.runFor(1);
    expect(counts.conflated).toBe(0);
    await publish(B);
    await time.runFor(1);
    expect(deliveries).toMatchObject([
      { update: { topic: A }, clients: CLIENTS, paced: false, beganAtMs: publishedAtMs },
      { update: { topic: B }, clients: CLIENTS, paced: false, beganAtMs: publishedAtMs + 1 },
    ]);
    expect(deliveries[0]?.publishedAtMs).toBeCloseTo(publishedAtMs, 3);
    expect(deliveries.map(({ flush }) => flush)).toEqual([hub.flushOf(A), hub.flushOf(B)]);
    expect(hub.flushOf(B)).toBe(hub.flushOf(A) + 1);
    expect(hub.flushOf('other' as Topic)).toBe(0);
    expect(paces).toEqual([]);
    hub.stop();
  });

  it('of a topic that is not watched is ignored', async () => {
    const { time, hub, deliveries, received } = await createHub();
    hub.deliver({ topic: A, version: 1 });
    await time.runFor(1);
    expect([deliveries, received, hub.dataBytes]).toEqual([[], [], 0]);
    hub.stop();
  });

  it('gets the spread that its topic needs, and keeps one of its publisher; clients that cannot spread are paced', async () => {
    const { time, hub, deliveries, paces, wants, publish, subscribe } = await createHub();
    await subscribe(A);
    wants.spreadMs = 500;
    await publish(A);
    await time.runFor(1);
    await publish(A, { spread: 20 });
    await time.runFor(1);
    expect(deliveries).toMatchObject([
      { update: { spread: 500 }, paced: true },
      { update: { spread: 20 }, paced: true },
    ]);
    const first = deliveries[0]?.flush ?? 0;
    expect(paces).toEqual([
      [first, 500],
      [first + 1, 20],
    ]);
    await publish(A, { spread: 0 });
    await time.runFor(1);
    expect(deliveries[2]).toMatchObject({ update: { spread: 0 }, paced: false });
    expect(paces).toHaveLength(2);
    wants.spreadMs = 500;
    await publish(A);
    await time.runFor(1);
    expect(hub.current(A)).toMatchObject({ spread: 500 });
    hub.stop();
  });

  it('whose signal is lost arrives by the next digest, and is reported with the time of its request', async () => {
    const { time, broker, hub, deliveries, received, publish, subscribe } = await createHub();
    await subscribe(A);
    broker.losesSignals = true;
    const { version } = await publish(A);
    await publish(B); // has no subscriber
    await time.runFor(1);
    expect(deliveries).toEqual([]);
    const publishedAtMs = time.nowMs;
    await time.runFor(1.5 * INTERVAL_MS);
    expect(deliveries.map(({ update }) => update.version)).toEqual([version]);
    expect(received).toEqual([[A, version, expect.any(Number)]]);
    const [[, , requestedAtMs]] = received as [[Topic, number, number]];
    expect(requestedAtMs).toBeGreaterThan(publishedAtMs);
    expect(requestedAtMs).toBeLessThanOrEqual(deliveries[0]?.beganAtMs ?? 0);
    hub.stop();
  });

  it('that neither a signal nor a probe shows arrives within the time in which all registers are compared', async () => {
    for (const auditIntervalMs of [10_000, undefined]) {
      const { time, broker, hub, deliveries, publish, subscribe } = await createHub(
        auditIntervalMs === undefined ? {} : { auditIntervalMs },
      );
      await subscribe(A);
      await subscribe(B);
      broker.losesSignals = true;
      broker.hidesLosses = true;
      const { version } = await publish(A);
      await time.runFor((auditIntervalMs ?? 60_000) + INTERVAL_MS);
      expect(deliveries.map(({ update }) => update.version)).toEqual([version]);
      hub.stop();
    }
  });

  it('is not one that had expired when its topic was loaded, although the broker lists it', async () => {
    const { time, broker, hub, deliveries, subscribe } = await createHub({ auditIntervalMs: 10_000 });
    await subscribe(A);
    broker.recentVersions = async () => [1];
    await time.runFor(30_000);
    expect([deliveries, hub.lastDelivered(A)]).toEqual([[], { version: 0, delivered: 0 }]);
    hub.stop();
  });

  it('is not lost while its topic is being loaded, whether its signal arrives or not', async () => {
    for (const losesSignals of [false, true]) {
      const { time, broker, hub, publish } = await createHub();
      broker.read = async (topics) => {
        broker.read = UnreliableBroker.prototype.read;
        const before = await broker.read(topics);
        await new Promise<void>((resolve) => time.after(2 * INTERVAL_MS, resolve));
        return before;
      };
      hub.subscribe(A);
      await time.runFor(1);
      broker.losesSignals = losesSignals;
      const { version } = await publish(A);
      await time.runFor(1.5 * INTERVAL_MS);
      expect(hub.lastDelivered(A)).toEqual({ version: 0, delivered: 0 });
      await time.runFor(INTERVAL_MS);
      expect(hub.lastDelivered(A)?.version).toBe(version);
      hub.stop();
    }
  });

  it('arrives by digests while its topic cannot be watched again', async () => {
    const { time, broker, hub, deliveries, publish, subscribe } = await createHub();
    await subscribe(A);
    broker.failsWatches = true;
    broker.resetSubscription(0);
    await time.runFor(1.5 * INTERVAL_MS);
    const { version } = await publish(A);
    await time.runFor(1.5 * INTERVAL_MS);
    expect(deliveries.map(({ update }) => update.version)).toEqual([version]);
    broker.failsWatches = false;
    await time.runFor(INTERVAL_MS);
    await publish(A);
    await time.runFor(1);
    expect(deliveries).toHaveLength(2);
    hub.stop();
  });

  it('that was read is seen: the next probe names its version', async () => {
    const { time, broker, hub, publish, subscribe } = await createHub();
    const { version } = await publish(A);
    await subscribe(A);
    broker.witnesses.length = 0;
    await time.runFor(1.5 * INTERVAL_MS);
    expect(broker.witnesses[0]?.version).toBe(version);
    hub.stop();
  });

  it('that is published while a watch is lost is delivered once the topic is watched again', async () => {
    const { time, broker, hub, deliveries, publish, subscribe } = await createHub();
    await subscribe(A);
    broker.resetSubscription(0);
    const { version } = await publish(A);
    await time.runFor(1);
    expect(deliveries.map(({ update }) => update.version)).toEqual([version]);
    expect(hub.lastDelivered(A)).toEqual({ version, delivered: CLIENTS });
    await subscribe(B); // which has never had one
    broker.resetSubscription(0);
    await time.runFor(1);
    await publish(B);
    await time.runFor(1);
    expect(deliveries).toHaveLength(2);
    hub.stop();
  });

  it('loses its data beyond the limit of all together', async () => {
    const { time, hub, deliveries, counts, publish, subscribe } = await createHub({ maxDataBytes: 10 });
    await subscribe(A);
    await subscribe(B);
    await publish(A, { data: 12_345_678 });
    const { version } = await publish(B, { data: 123 });
    await time.runFor(1);
    expect(deliveries.map(({ update }) => update.data)).toEqual(['12345678', undefined]);
    expect([hub.dataBytes, counts.dataDropped]).toEqual([8, 1]);
    expect(hub.current(B)).toEqual({ topic: B, version });
    hub.unsubscribe(A, createSubscriber());
    await time.runFor(10 * INTERVAL_MS);
    expect(hub.dataBytes).toBe(0);
    hub.stop();
  });
});

describe('a raised floor', () => {
  it('is delivered once, to be spread, and has no time of publication', async () => {
    const { time, hub, deliveries, paces, subscribe, floorNow } = await createHub();
    await subscribe(A);
    const floor = floorNow() + 1;
    hub.raiseFloor(0, floor);
    await time.runFor(1);
    const update = { topic: A, version: floor, spread: FLOOR_SPREAD_MS };
    expect(deliveries).toMatchObject([{ update, paced: true, publishedAtMs: undefined }]);
    expect(paces).toEqual([[hub.flushOf(A), FLOOR_SPREAD_MS]]);
    hub.raiseFloor(0, floor);
    await time.runFor(1);
    expect([deliveries.length, paces.length]).toEqual([1, 1]);
    hub.stop();
  });

  it('sends nothing again to paced clients that was delivered before it, also just before', async () => {
    const { time, hub, paces, publish, subscribe, floorNow } = await createHub();
    await subscribe(A);
    await subscribe(B);
    await publish(B);
    await time.runFor(1);
    hub.raiseFloor(0, floorNow() + 1);
    expect(paces).toEqual([[expect.any(Number), FLOOR_SPREAD_MS]]);
    expect((paces[0] as [number])[0]).toBeGreaterThan(hub.flushOf(B));
    hub.stop();
  });

  it('is spread over as long as the topic needs, if that is longer', async () => {
    const { time, hub, deliveries, wants, subscribe, floorNow } = await createHub();
    await subscribe(A);
    wants.spreadMs = 2 * FLOOR_SPREAD_MS;
    hub.raiseFloor(0, floorNow() + 1);
    await time.runFor(1);
    expect(deliveries[0]?.update.spread).toBe(2 * FLOOR_SPREAD_MS);
    hub.stop();
  });

  it('is not delivered to topics that have a newer update, nor to none', async () => {
    const { time, hub, deliveries, paces, publish, subscribe, floorNow } = await createHub();
    hub.raiseFloor(0, floorNow() + 1);
    await subscribe(A);
    await publish(A);
    await time.runFor(1);
    deliveries.length = 0;
    hub.raiseFloor(0, floorNow() - 1000);
    await time.runFor(1);
    expect([deliveries, paces]).toEqual([[], []]);
    hub.stop();
  });

  it('is no pending delivery to every subscriber, as an update is', async () => {
    const { time, hub, publish, subscribe, floorNow } = await createHub();
    await subscribe(A);
    expect(hub.isDeliveryPending(A)).toBe(false);
    hub.raiseFloor(0, floorNow() + 1);
    expect(hub.isDeliveryPending(A)).toBe(false);
    hub.deliver({ topic: A, version: floorNow() + 2 });
    expect(hub.isDeliveryPending(A)).toBe(true);
    expect(hub.isDeliveryPending(B)).toBe(false);
    await time.runFor(1);
    expect(hub.isDeliveryPending(A)).toBe(false);
    await publish(A);
    hub.stop();
  });

  it.each([13, 24.5])('does not hide an update that a relay missed, when it returns %s hours later', async (hours) => {
    const { time, broker, hub, deliveries, publish, subscribe } = await createHub({ repairIntervalMs: 600_000 });
    await subscribe(A);
    broker.losesSignals = true;
    const { version } = await publish(A);
    broker.failing = true;
    await time.runFor(hours * 3600 * 1000);
    deliveries.length = 0;
    broker.failing = false;
    hub.linkUp();
    await time.runFor(1);
    expect([hub.fresh, deliveries]).toMatchObject([true, [{ update: { topic: A, version } }]]);
    hub.stop();
  });

  it('replaces what has expired, when a relay returns after longer than the retention', async () => {
    const { time, broker, hub, deliveries, publish, subscribe } = await createHub({ repairIntervalMs: 600_000 });
    await subscribe(A);
    const { version } = await publish(A);
    await time.runFor(1);
    broker.failing = true;
    broker.losesSignals = true;
    await time.runFor(26 * 3600 * 1000);
    await publish(B);
    deliveries.length = 0;
    broker.failing = false;
    hub.linkUp();
    await time.runFor(1);
    expect(deliveries).toMatchObject([{ update: { topic: A, spread: FLOOR_SPREAD_MS }, paced: true }]);
    expect(deliveries[0]?.update.version).toBeGreaterThan(version);
    expect(hub.current(A).version).toBe(deliveries[0]?.update.version);
    hub.stop();
  });
});

describe('the last delivery of a topic', () => {
  it('is 0 until there is one, while one is pending, and undefined for a topic that is not watched', async () => {
    const { time, hub, deliveries, publish, subscribe, floorNow } = await createHub();
    expect(hub.lastDelivered(A)).toBeUndefined();
    const { version } = await publish(A);
    hub.subscribe(A);
    expect(hub.lastDelivered(A)).toEqual({ version: 0, delivered: 0 });
    await time.runFor(1);
    expect(hub.lastDelivered(A)).toEqual({ version, delivered: 0 });
    hub.deliver({ topic: A, version: floorNow() + 5 });
    expect(hub.lastDelivered(A)).toEqual({ version: 0, delivered: 0 });
    await time.runFor(1);
    expect(hub.lastDelivered(A)).toEqual({ version: deliveries[0]?.update.version, delivered: CLIENTS });
    await subscribe(B);
    expect(hub.lastDelivered(B)).toEqual({ version: 0, delivered: 0 });
    hub.stop();
  });
});

describe('topics', () => {
  it('are counted while they have subscribers, and have room until the limit', async () => {
    const { time, hub, subscribe } = await createHub();
    expect(hub.hasRoom(A, 1)).toBe(true);
    await subscribe(A);
    hub.subscribe(A);
    expect([hub.topics, hub.subscribers(A), hub.subscribers(B)]).toEqual([1, 2, 0]);
    expect([hub.hasRoom(A, 1), hub.hasRoom(B, 1), hub.hasRoom(B, 2)]).toEqual([true, false, true]);
    hub.unsubscribe(A, createSubscriber());
    expect([hub.topics, hub.subscribers(A)]).toEqual([1, 1]);
    hub.unsubscribe(A, createSubscriber());
    expect([hub.topics, hub.subscribers(A)]).toEqual([0, 0]);
    // Watched for a while.
    expect([hub.hasRoom(A, 1), hub.hasRoom(B, 1)]).toEqual([true, false]);
    await time.runFor(10 * INTERVAL_MS);
    expect([hub.hasRoom(B, 1), hub.lastDelivered(A)]).toEqual([true, undefined]);
    hub.stop();
  });

  it('stay watched while a subscriber is left', async () => {
    const { time, hub, deliveries, publish, subscribe } = await createHub();
    await subscribe(A);
    hub.subscribe(A);
    hub.unsubscribe(A, createSubscriber());
    await time.runFor(10 * INTERVAL_MS);
    await publish(A);
    await time.runFor(1);
    expect(deliveries).toHaveLength(1);
    hub.stop();
  });

  it('are listed with their subscribers and versions', async () => {
    const { time, hub, publish, subscribe } = await createHub();
    for (const topic of [A, B, B]) await subscribe(topic);
    const { version } = await publish(A);
    await time.runFor(1);
    hub.subscribe('new' as Topic);
    expect(hub.listTopics('new', 5).topics).toEqual([{ topic: 'new', subscribers: 1, version: 0 }]);
    hub.unsubscribe('new' as Topic, createSubscriber());
    expect(hub.listTopics('', 5)).toEqual({
      topics: [
        { topic: B, subscribers: 2, version: 0 },
        { topic: A, subscribers: 1, version },
      ],
      matching: 2,
    });
    hub.stop();
  });
});

describe('freshness', () => {
  it('of a relay begins with its first digests, ends without them, and begins again when the link is up', async () => {
    const { time, broker, hub, freshness, rounds } = await createHub();
    expect([hub.fresh, freshness]).toEqual([true, [true]]);
    const first = hub.freshnessFlush;
    expect(first).toBeGreaterThan(0);
    const digestedAtMs = hub.provenUntilMs;
    broker.failing = true;
    await time.runFor(5 * INTERVAL_MS);
    expect([hub.fresh, freshness]).toEqual([false, [true, false]]);
    expect(hub.freshnessFlush).toBe(first + 1);
    expect(hub.provenUntilMs - digestedAtMs).toBeLessThan(INTERVAL_MS);
    expect(hub.digestAgeMs).toBe(time.nowMs - hub.provenUntilMs);
    broker.failing = false;
    hub.linkUp();
    expect(rounds.at(-1)).toBe('link');
    await time.runFor(1);
    expect([hub.fresh, freshness]).toEqual([true, [true, false, true]]);
    hub.stop();
  });

  it('of a topic begins when it is loaded, at once when the link is up again; its subscribers are notified', async () => {
    const { time, broker, hub } = await createHub();
    const [one, other] = [createSubscriber(), createSubscriber()];
    broker.failsReads = true;
    for (const each of [one, other]) {
      hub.subscribe(A);
      hub.awaitFreshness(A, each);
    }
    await time.runFor(1900);
    expect([hub.fresh, hub.isFresh(A), one.times, other.times]).toEqual([true, false, 0, 0]);
    hub.unsubscribe(A, other);
    broker.failsReads = false;
    hub.linkUp();
    await time.runFor(1);
    expect([hub.isFresh(A), one.times, other.times]).toEqual([true, 1, 0]);
    // A topic that is fresh has nothing to wait for, and the relay becomes stale later.
    hub.awaitFreshness(A, one);
    broker.failing = true;
    await time.runFor(5 * INTERVAL_MS);
    expect([hub.isFresh(A), one.times]).toEqual([false, 1]);
    hub.stop();
  });

  it('of a topic that waits is notified when the relay becomes stale, and when it is fresh', async () => {
    const { time, broker, hub, subscribe } = await createHub();
    const [loaded, unloaded] = [createSubscriber(), createSubscriber()];
    await subscribe(A);
    broker.failing = true;
    broker.failsReads = true;
    hub.subscribe(B);
    hub.awaitFreshness(B, unloaded);
    await time.runFor(5 * INTERVAL_MS);
    expect(unloaded.times).toBe(1);
    hub.awaitFreshness(A, loaded);
    broker.failsReads = false;
    await time.runFor(INTERVAL_MS);
    // Loaded, but by a stale relay.
    expect([loaded.times, unloaded.times]).toEqual([0, 1]);
    broker.failing = false;
    hub.linkUp();
    await time.runFor(1);
    expect([loaded.times, unloaded.times]).toEqual([1, 2]);
    hub.stop();
  });

  it('of a topic that is not loaded yet does not begin with that of its relay', async () => {
    const { time, broker, hub } = await createHub();
    const subscriber = createSubscriber();
    broker.failing = true;
    await time.runFor(5 * INTERVAL_MS);
    broker.failsReads = true;
    hub.subscribe(A);
    hub.awaitFreshness(A, subscriber);
    broker.failing = false;
    await time.runFor(1.5 * INTERVAL_MS);
    expect([hub.fresh, subscriber.times]).toEqual([true, 0]);
    broker.failsReads = false;
    await time.runFor(2000);
    expect([hub.isFresh(A), subscriber.times]).toEqual([true, 1]);
    hub.stop();
  });

  it('returns as soon as a topic is loaded, if that was what made the relay stale', async () => {
    const { time, broker, hub } = await createHub();
    broker.failsReads = true;
    hub.subscribe(A);
    await time.runFor(5 * INTERVAL_MS);
    expect(hub.fresh).toBe(false);
    broker.failsReads = false;
    // Within the longest pause between attempts, which need not be at an interval.
    await time.runFor(2000);
    expect([hub.fresh, hub.isFresh(A)]).toEqual([true, true]);
    hub.stop();
  });

  it('does not change, and nothing is probed, after the hub was stopped', async () => {
    const { time, broker, hub, freshness } = await createHub();
    hub.stop();
    broker.probe = () => Promise.reject(new Error('not expected'));
    broker.digest = broker.probe as never;
    broker.watch = broker.probe as never;
    hub.subscribe(A);
    await time.runFor(10 * INTERVAL_MS);
    expect([freshness, hub.isFresh(A)]).toEqual([[true], false]);
  });
});

describe('a client that cannot name its version', () => {
  it('may have missed an update or a floor of the last minute, and none before', async () => {
    const { time, hub, publish, subscribe, floorNow } = await createHub();
    await time.runFor(10 * RECENT_MS);
    await subscribe(A);
    await subscribe(B);
    expect(hub.recentMs).toBe(RECENT_MS);
    expect([hub.mayHaveMissed(A, time.nowMs), hub.mayHaveMissed('other' as Topic, time.nowMs)]).toEqual([false, false]);
    const publishedAtMs = time.nowMs;
    await publish(A);
    await time.runFor(1);
    expect(hub.mayHaveMissed(A, publishedAtMs + RECENT_MS - 1)).toBe(true);
    expect(hub.mayHaveMissed(A, publishedAtMs + RECENT_MS)).toBe(false);
    expect(hub.mayHaveMissed(B, publishedAtMs + 1)).toBe(false);
    const raisedAtMs = time.nowMs;
    hub.raiseFloor(0, floorNow());
    await time.runFor(1);
    expect(hub.mayHaveMissed('other' as Topic, raisedAtMs + RECENT_MS + FLOOR_SPREAD_MS - 1)).toBe(true);
    expect(hub.mayHaveMissed('other' as Topic, raisedAtMs + RECENT_MS + FLOOR_SPREAD_MS + 1)).toBe(false);
    hub.stop();
  });

  it('may have missed an update from the time in which this relay was stale, if that has just ended', async () => {
    const { time, broker, hub, publish, subscribe } = await createHub();
    await subscribe(A);
    broker.failing = true;
    await time.runFor(2 * RECENT_MS);
    await publish(A);
    await time.runFor(2 * RECENT_MS);
    broker.failing = false;
    hub.linkUp();
    await time.runFor(1);
    expect(hub.mayHaveMissed(A, time.nowMs)).toBe(true);
    await time.runFor(RECENT_MS + 1);
    expect(hub.mayHaveMissed(A, time.nowMs)).toBe(false);
    hub.stop();
  });

  it('may have missed what was spread until then', async () => {
    const { time, hub, wants, publish, subscribe, floorNow } = await createHub();
    await time.runFor(10 * RECENT_MS);
    await subscribe(A);
    await subscribe(B);
    const publishedAtMs = time.nowMs;
    await publish(A, { spread: 5000 });
    await publish(B);
    await time.runFor(1);
    expect(hub.mayHaveMissed(A, publishedAtMs + RECENT_MS + 4999)).toBe(true);
    expect(hub.mayHaveMissed(A, publishedAtMs + RECENT_MS + 5001)).toBe(false);
    wants.spreadMs = 20_000; // the longest spread of updates without one
    expect(hub.mayHaveMissed(A, publishedAtMs + RECENT_MS + 5001)).toBe(false);
    expect(hub.mayHaveMissed(B, publishedAtMs + RECENT_MS + 19_999)).toBe(true);
    expect(hub.mayHaveMissed(B, publishedAtMs + RECENT_MS + 20_001)).toBe(false);
    const raisedAtMs = time.nowMs;
    hub.raiseFloor(0, floorNow());
    expect(hub.mayHaveMissed('other' as Topic, raisedAtMs + RECENT_MS + 19_999)).toBe(true);
    hub.stop();
  });
});

it('a hub without a fan-out keeps registers, and delivers to no client', async () => {
  const time = new VirtualTime();
  const broker = new UnreliableBroker({ nowMs: () => AHEAD_MS + time.nowMs });
  const deliveries: Delivery[] = [];
  const report = new Proxy(
    {},
    { get: (_, name) => (name === 'delivered' ? deliveries.push.bind(deliveries) : () => {}) },
  );
  const deps = { clock: time.clock(), report: report as never, repairIntervalMs: 3000, floorSpreadMs: 0 };
  const hub = new Hub({ feed: broker, ...deps });
  hub.start(); // by itself, without an event of the link
  hub.subscribe(A);
  await time.runFor(1);
  expect(hub.isFresh(A)).toBe(true);
  const { version } = await broker.publish(A, {}, NOTHING_SEEN);
  await time.runFor(1);
  expect(deliveries).toMatchObject([{ update: { topic: A, version }, clients: 0, paced: false }]);
  hub.stop();
});
