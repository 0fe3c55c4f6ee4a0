import { beforeEach, describe, expect, it } from 'vitest';
import { AUDIT_INTERVAL_MS } from '../../services/relay/hub/repair.ts';
import { REGISTER_TTL_MS } from '../../services/shared/broker/retention.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { updateBody } from '../support/update-body.ts';
import { VirtualTime } from '../support/virtual-time.ts';
import { RedisData } from './redis-data.ts';
import { REPAIR_INTERVAL_MS, type SimulatedRelay } from './simulated-relay.ts';
import { Simulation } from './simulation.ts';

const TOPIC = 'chat' as Topic;
const START_MS = 1_790_000_000_000;
const HOUR_US = 3600 * 1_000_000;

/** Faults of relays at times that random schedules seldom choose. */
describe('a relay', () => {
  let time: VirtualTime;
  let simulation: Simulation;
  let relay: SimulatedRelay;

  beforeEach(async () => {
    time = new VirtualTime(START_MS);
    simulation = new Simulation({ seed: 1, time });
    relay = simulation.relays[0] as SimulatedRelay;
    await time.runFor(2000);
  });

  /** Connects a legacy client. Returns a function that counts its notifications. */
  function legacy(to: SimulatedRelay, closed: (code: number) => void = () => {}): () => number {
    let count = 0;
    const message = () => {
      count += 1;
    };
    to.connect('/update_check', `topic=${TOPIC}`, { opened() {}, message, closed });
    return () => count;
  }

  async function publish(body: Parameters<typeof updateBody>[0]): Promise<void> {
    const call = { id: String(time.nowMs), topics: [TOPIC], body: updateBody(body) };
    const published = simulation.webhooks[0]?.post(call);
    await time.runFor(1000);
    await published;
  }

  /** Cuts a relay off from all Redis servers, or ends that. */
  function isolate({ process, broker }: SimulatedRelay, isCut: boolean): void {
    if (isCut) broker.dropSignals();
    for (const shard of simulation.cluster.shards) {
      for (const link of [`${process.name}/commands`, `${process.name}/subscriber`]) {
        if (isCut) shard.blackhole(link);
        else shard.restore(link);
      }
    }
  }

  /** Requests the topic by long-polling; the returned list receives the status of the response. */
  function poll(etag: string, waitS: number): number[] {
    const statuses: number[] = [];
    const headers = { 'if-none-match': etag, prefer: `wait=${waitS}` };
    relay.request(new URL(`http://relay/topics/${TOPIC}`), headers, {
      head: (status) => void statuses.push(status),
      chunk() {},
      closed() {},
    });
    return statuses;
  }

  it('that was cut off moves its legacy clients, paced, in time for another one to notify them, and admits none', async () => {
    const [left, cut] = [simulation.relays[1] as SimulatedRelay, relay];
    const moved: { atMs: number; notified: () => number }[] = [];
    for (let n = 0; n < 30; n += 1) {
      legacy(cut, () => moved.push({ atMs: time.nowMs, notified: legacy(left) }));
    }
    await time.runFor(1000);
    isolate(cut, true);
    const cutAtMs = time.nowMs;
    await publish({});
    await time.runFor(3 * REPAIR_INTERVAL_MS);
    expect(cut.hub.fresh).toBe(false);
    expect(cut.connect('/update_check', `topic=${TOPIC}`, { opened() {}, message() {}, closed() {} })).toBeUndefined();
    await time.runFor(60_000 - 3 * REPAIR_INTERVAL_MS);
    expect(moved).toHaveLength(30);
    const afterMs = moved.map(({ atMs }) => atMs - cutAtMs);
    expect(Math.max(...afterMs)).toBeLessThan(45_000);
    expect(new Set(afterMs.map((ms) => Math.floor(ms / 1000))).size).toBeGreaterThan(10);
    expect(moved.map(({ notified }) => notified())).toEqual(Array(30).fill(1));
    isolate(cut, false);
    await time.runFor(5000);
    expect(cut.connect('/update_check', `topic=${TOPIC}`, { opened() {}, message() {}, closed() {} })).toBeDefined();
  });

  it('that is fresh again keeps its legacy clients, and notifies them of what changed', async () => {
    const closes: number[] = [];
    const notified = Array.from({ length: 30 }, () => legacy(relay, (code) => closes.push(code)));
    await time.runFor(1000);
    isolate(relay, true);
    await publish({});
    await time.runFor(12_000);
    expect(relay.hub.fresh).toBe(false);
    isolate(relay, false);
    await time.runFor(70_000);
    expect(closes).toEqual([]);
    expect(notified.map((count) => count())).toEqual(Array(30).fill(1));
  });

  it('that stood still too long notifies its legacy clients before it closes them', async () => {
    const closes: number[] = [];
    const notified = Array.from({ length: 10 }, () => legacy(relay, (code) => closes.push(code)));
    await time.runFor(1000);
    relay.process.suspend();
    isolate(relay, true);
    await publish({});
    await time.runFor(300_000);
    relay.process.resume();
    await time.runFor(25_000);
    expect(closes).toEqual(Array(10).fill(1012));
    expect(notified.map((count) => count())).toEqual(Array(10).fill(1));
  });

  it('notifies legacy clients that were refused everywhere while all relays were cut off', async () => {
    await publish({});
    for (const each of simulation.relays) isolate(each, true);
    await time.runFor(200_000);
    for (const each of simulation.relays) isolate(each, false);
    await time.runFor(10_000);
    const notified = legacy(relay);
    await time.runFor(100);
    expect(notified()).toBe(1);
    await time.runFor(60_000);
    const later = legacy(relay);
    await time.runFor(100);
    expect(later()).toBe(0);
  });

  it('notifies a legacy client that left during a spread, for a minute after the end of the spread', async () => {
    await publish({ spread: 120_000 });
    await time.runFor(65_000);
    const notified = Array.from({ length: 30 }, () => legacy(relay));
    await time.runFor(110_000);
    notified.push(legacy(relay));
    await time.runFor(100);
    expect(notified.map((count) => count())).toEqual(Array(31).fill(1));
    await time.runFor(6000);
    const late = legacy(relay);
    await time.runFor(100);
    expect(late()).toBe(0);
  });

  it("notifies no client of an update that has expired, when Redis' clock has stepped by more than the retention", async () => {
    await publish({});
    for (const { servers } of simulation.cluster.shards) {
      for (const server of servers) server.clockOffsetUs += 1.1 * REGISTER_TTL_MS * 1000;
    }
    simulation.startRelay(0);
    await time.runFor(5000);
    const messages: string[] = [];
    const peer = { opened() {}, message: (text: string) => void messages.push(text), closed() {} };
    simulation.relays[0]?.connect('/ws', `topic=${TOPIC}`, peer);
    await time.runFor(2 * AUDIT_INTERVAL_MS);
    expect(messages.map((text) => JSON.parse(text).type)).toEqual(['subscribed']);
  });

  it("reports an update that follows a step of Redis' clock, which the next digests notice, as the current version", async () => {
    await time.runFor(10_000);
    while (relay.hub.digestAgeMs > 100) await time.runFor(10); // the next probe is almost an interval away
    relay.connect('/ws', `topic=${TOPIC}`, { opened() {}, message() {}, closed() {} });
    await time.runFor(100);
    for (const { servers } of simulation.cluster.shards)
      for (const server of servers) server.clockOffsetUs += 10 * HOUR_US;
    await publish({});
    const { version } = relay.hub.current(TOPIC);
    expect(version).toBeGreaterThan(time.nowMs * 1000 + 9 * HOUR_US);
    for (let digests = 0; digests < 10; digests += 1) {
      await time.runFor(REPAIR_INTERVAL_MS);
      expect(relay.hub.current(TOPIC).version).toBe(version);
    }
  });

  it('does not count as delivered while it has an older version for the next client of a topic', async () => {
    await publish({});
    const first = relay.connect('/ws', `topic=${TOPIC}`, { opened() {}, message() {}, closed() {} });
    await time.runFor(1000);
    first?.pipe.close(1000);
    while (relay.hub.digestAgeMs > 100) await time.runFor(10); // the next probe is almost an interval away
    relay.broker.dropSignals();
    const [webhook] = simulation.webhooks;
    const published = webhook?.post({ id: 'lost', topics: [TOPIC], body: {} });
    await time.runFor(100);
    const version = (await published)?.get(TOPIC) ?? 0;
    const delivered = async (forMs: number) => {
      const waiting = webhook?.waitUntilDelivered([{ topic: TOPIC, version }], forMs);
      await time.runFor(forMs + 100);
      return await waiting;
    };
    expect(relay.hub.current(TOPIC).version).toBeLessThan(version);
    expect(await delivered(2300)).toBe(false); // the relay finds the query when it exchanges its load
    expect(await delivered(9000)).toBe(true);
  });

  it('of a new cluster does not notify legacy clients that connect', async () => {
    const notified = legacy(relay);
    await time.runFor(100_000);
    expect(notified()).toBe(0);
  });

  it('that starts after the floor was raised notifies legacy clients from elsewhere of it', async () => {
    for (const shard of simulation.cluster.shards) {
      shard.kill();
      shard.restart(new RedisData());
    }
    await time.runFor(30_000);
    simulation.startRelay(0);
    await time.runFor(3000);
    const notified = legacy(simulation.relays[0] as SimulatedRelay);
    await time.runFor(100);
    expect(notified()).toBe(1);
  });

  it('whose subscriber connection alone fails becomes stale once a topic waits for longer than three intervals', async () => {
    const messages: unknown[] = [];
    const peer = { opened() {}, message: (text: string) => void messages.push(JSON.parse(text)), closed() {} };
    const statesOf = (type: string) => messages.filter((message) => (message as { type: string }).type === type);
    for (const shard of simulation.cluster.shards) shard.blackhole(`${relay.process.name}/subscriber`);
    await time.runFor(60_000);
    expect(relay.hub.fresh).toBe(true); // no topic waits
    relay.connect('/ws', `topic=${TOPIC}`, peer);
    await time.runFor(3 * REPAIR_INTERVAL_MS - 100);
    expect([relay.hub.fresh, messages]).toEqual([true, []]);
    simulation.publisher.publish([TOPIC], false);
    await time.runFor(3 * REPAIR_INTERVAL_MS);
    expect(relay.hub.fresh).toBe(false);
    expect(messages).toEqual([
      { type: 'freshness', fresh: false },
      { type: 'subscribed', topics: { [TOPIC]: null } },
    ]);
    await time.runFor(60_000);
    for (const shard of simulation.cluster.shards) shard.restore(`${relay.process.name}/subscriber`);
    await time.runFor(3000);
    expect(statesOf('freshness').at(-1)).toEqual({ type: 'freshness', fresh: true });
    expect(statesOf('update')).toHaveLength(1);
  });

  it('that becomes stale ends waiting long-polls with 503, and holds none until it is fresh again', async () => {
    poll('"1"', 1);
    await time.runFor(1000);
    const etag = `"${relay.hub.current(TOPIC).version}"`;
    isolate(relay, true);
    const waiting = poll(etag, 25);
    await time.runFor(4 * REPAIR_INTERVAL_MS);
    expect([relay.hub.fresh, waiting]).toEqual([false, [503]]);
    const late = poll(etag, 25);
    await time.runFor(100);
    expect(late).toEqual([503]);
    isolate(relay, false);
    await time.runFor(5000);
    const after = poll(etag, 1);
    await time.runFor(1100);
    expect(after).toEqual([304]);
  });

  it('that stood still answers no long-poll with 304 before it is fresh again', async () => {
    poll('"1"', 1);
    await time.runFor(1000);
    const etag = `"${relay.hub.current(TOPIC).version}"`;
    const [quick, waiting] = [poll(etag, 1), poll(etag, 2)];
    await time.runFor(500);
    relay.process.suspend();
    await time.runFor(20_000);
    relay.process.resume();
    await time.runFor(100);
    expect([...quick, ...waiting]).toEqual([503, 503]);
    await time.runFor(5000);
    const after = poll(etag, 1);
    await time.runFor(1100);
    expect(after).toEqual([304]);
  });
});
