import { describe, expect, it } from 'vitest';
import { MemoryBroker } from '../../services/shared/broker/memory-broker.ts';
import type { ReceiptQuery } from '../../services/shared/broker/receipts.ts';
import {
  DATA_TTL_MS,
  DIGEST_LIMIT,
  LOAD_TTL_MS,
  MEMORY_RESERVATION_TTL_MS,
  RECEIPT_TTL_MS,
  RECENT_WINDOW_US,
  REGISTER_TTL_MS,
  RESPONSE_TTL_MS,
  RETENTION_US,
} from '../../services/shared/broker/retention.ts';
import type { Topic } from '../../services/shared/update/topic.ts';
import { updateBody } from '../support/update-body.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const inMemory = async () => {
  const broker = new MemoryBroker();
  return { connect: () => broker, close: async () => {} };
};

describeBroker('in memory', inMemory);
describeReceipts('in memory', inMemory);

it('an in-memory broker reports what a digest covers, and deletes older changes', async () => {
  let nowMs = 1_700_000_000_000;
  const broker = new MemoryBroker({ nowMs: () => nowMs });
  await broker.start();
  const nothing = { epoch: '', version: 0 };
  const publish = async (topic: string) => (await broker.publish(topic as Topic, {}, nothing)).version;
  const digest = () => broker.digest(0, nothing, 0);
  const old = await publish('old');
  await publish('kept');
  nowMs += RECENT_WINDOW_US / 1000 / 2;
  const kept = await publish('kept');
  expect(await digest()).toMatchObject({
    completeAfter: 0,
    changed: [
      { topic: 'old', version: old },
      { topic: 'kept', version: kept },
    ],
  });
  nowMs += RECENT_WINDOW_US / 1000 / 2 + 1;
  const newest = await publish('new');
  expect(await digest()).toMatchObject({
    completeAfter: old,
    changed: [
      { topic: 'kept', version: kept },
      { topic: 'new', version: newest },
    ],
  });
});

it('the in-memory broker deletes data after its retention, and keeps the version', async () => {
  let nowMs = 1_700_000_000_000;
  const broker = new MemoryBroker({ nowMs: () => nowMs, dataTtlMs: 1000 });
  await broker.start();
  const topic = 'chat' as Topic;
  const body = { ...updateBody({ data: [1] }), spread: 5 };
  const { version } = await broker.publish(topic, body, { epoch: '', version: 0 });
  nowMs += 999;
  expect(await broker.read([topic])).toEqual([{ topic, version, ...body }]);
  nowMs += 1;
  expect(await broker.read([topic])).toEqual([{ topic, version, spread: 5 }]);
  await broker.stop();
});

describe('the in-memory broker, in time,', () => {
  const START_MS = 1_700_000_000_000;
  const topic = 'chat' as Topic;
  const nothing = { epoch: '', version: 0 };

  async function createBroker() {
    const clock = { nowMs: START_MS };
    const broker = new MemoryBroker({ nowMs: () => clock.nowMs });
    const events: unknown[] = [];
    broker.setFeedHandler({
      deliver: ({ version }) => void events.push(['update', version]),
      raiseFloor: (...raise) => void events.push(['floor', ...raise]),
      watchesLost: (partitions) => void events.push(['lost', ...partitions]),
      linkUp: () => void events.push(['up']),
    });
    await broker.start();
    return { clock, broker, events };
  }
  const signals = () => new Promise((resolve) => setImmediate(resolve));

  it('begins with a floor at its start, which it raises with a signal', async () => {
    const { broker, events } = await createBroker();
    const first = await broker.digest(0, nothing, 0);
    expect(first).toMatchObject({ floor: START_MS * 1000, last: START_MS * 1000, isFirstFloor: true, raiseId: '0' });
    const version = START_MS * 1000 + 7;
    const second = await broker.digest(0, { epoch: first.epoch, version }, 0);
    expect(second).toMatchObject({ floor: version + 1, last: version + 1, isFirstFloor: false, raiseId: '1' });
    await signals();
    expect(events).toEqual([['up'], ['floor', 0, version + 1, '1']]);
  });

  it('keeps its versions and its base above earlier ones if the clock goes back', async () => {
    const { clock, broker } = await createBroker();
    const { version } = await broker.publish(topic, {}, nothing);
    const before = await broker.digest(0, nothing, 0);
    expect(before.base % (RETENTION_US / 2)).toBe(0);
    expect(before.last - before.base).toBeLessThan(RETENTION_US / 2);
    expect(before.retainedSince).toBe(version - RETENTION_US);
    clock.nowMs -= RETENTION_US / 1000;
    expect(await broker.digest(0, nothing, 0)).toEqual(before);
    expect((await broker.publish(topic, {}, nothing)).version).toBe(version + 1);
    clock.nowMs = START_MS + RETENTION_US / 1000;
    const after = await broker.digest(0, nothing, 0);
    expect([after.base - before.base, after.last]).toEqual([RETENTION_US, after.base]);
  });

  it('deletes a register after its retention, and names a version before the next update that no relay misses', async () => {
    const { clock, broker } = await createBroker();
    const { version } = await broker.publish(topic, {}, nothing);
    clock.nowMs += REGISTER_TTL_MS;
    expect(await broker.read([topic])).toEqual([{ topic, version }]); // assigned just above the time of the start
    clock.nowMs += 1;
    expect(await broker.read([topic])).toEqual([undefined]);
    const next = await broker.publish(topic, {}, nothing);
    expect(next.previous).toBe(next.version - REGISTER_TTL_MS * 1000);
    await broker.publish(topic, updateBody({ data: 1 }), nothing);
    clock.nowMs += REGISTER_TTL_MS + 1;
    expect(await broker.read([topic])).toEqual([undefined]); // with its data at once
  });

  it('deletes data that was replaced by an update without any at once, and keeps newer data for their whole time', async () => {
    const { clock, broker } = await createBroker();
    await broker.publish(topic, updateBody({ data: 1 }), nothing);
    clock.nowMs += DATA_TTL_MS / 2;
    const { version } = await broker.publish(topic, updateBody({ data: 2 }), nothing);
    clock.nowMs += DATA_TTL_MS - 1;
    expect(await broker.read([topic])).toEqual([{ topic, version, data: '2' }]);
    const newer = await broker.publish(topic, {}, nothing);
    expect(await broker.read([topic])).toEqual([{ topic, version: newer.version }]);
  });

  it('cuts a digest off at its limit, and continues after its last entry', async () => {
    const { broker } = await createBroker();
    const topics = Array.from({ length: DIGEST_LIMIT + 1 }, (_, i) => `topic-${i}` as Topic);
    for (const each of topics.slice(1)) await broker.publish(each, {}, nothing);
    expect((await broker.digest(0, nothing, 0)).hasMore).toBe(false);
    await broker.publish(topics[0] as Topic, {}, nothing);
    const { changed, hasMore } = await broker.digest(0, nothing, 0);
    expect([changed.length, hasMore]).toEqual([DIGEST_LIMIT, true]);
    const rest = await broker.digest(0, nothing, changed.at(-1)?.version ?? 0);
    expect([rest.changed.map((each) => each.topic), rest.hasMore]).toEqual([[topics[0]], false]);
  });

  it('keeps a reservation for a few seconds, and a response for ten minutes', async () => {
    const { clock, broker } = await createBroker();
    await broker.loadOrReserve('key', '?one');
    clock.nowMs += MEMORY_RESERVATION_TTL_MS - 1;
    expect(await broker.loadOrReserve('key', '?two')).toBe('?one');
    clock.nowMs += 1;
    expect(await broker.loadOrReserve('key', '?two')).toBeUndefined();
    await broker.storeResponse('key', '{}');
    await broker.releaseReservation('key', '?two');
    clock.nowMs += RESPONSE_TTL_MS / 2;
    await broker.storeResponse('other', '[]');
    clock.nowMs += RESPONSE_TTL_MS / 2 - 1;
    expect(await broker.loadOrReserve('key', '?three')).toBe('{}');
    clock.nowMs += 1;
    await broker.storeResponse('newest', '""'); // deletes what has expired
    expect(await broker.loadOrReserve('key', '?three')).toBeUndefined();
    expect(await broker.loadOrReserve('other', '?three')).toBe('[]');
  });

  it('keeps the load of a relay for ten seconds, or for its own time', async () => {
    const { clock, broker } = await createBroker();
    await broker.exchangeLoad('one', { connections: 1 });
    await broker.exchangeLoad('two', { connections: 2, ttlMs: LOAD_TTL_MS / 2 });
    clock.nowMs += LOAD_TTL_MS / 2 - 1;
    expect([...(await broker.receipts.membership()).relays].sort()).toEqual(['one', 'two']);
    clock.nowMs += 1;
    expect((await broker.receipts.membership()).relays).toEqual(['one']);
    clock.nowMs += LOAD_TTL_MS / 2;
    expect(await broker.exchangeLoad('three', { connections: 3 })).toEqual([{ connections: 3 }]);
  });

  it('keeps the replies to a query for ten seconds after the last one', async () => {
    const { clock, broker } = await createBroker();
    const { receipts } = broker;
    const [query, other]: [ReceiptQuery, ReceiptQuery] = [
      { id: 'one', topics: [topic] },
      { id: 'two', topics: [topic] },
    ];
    await receipts.reply(query, 'first', [undefined]);
    clock.nowMs += RECEIPT_TTL_MS - 1;
    await receipts.reply(query, 'second', [undefined]);
    clock.nowMs += RECEIPT_TTL_MS - 1;
    await receipts.reply(other, 'first', [undefined]);
    expect((await receipts.readReplies(query)).size).toBe(2);
    clock.nowMs += 1;
    await receipts.reply(other, 'second', [undefined]);
    expect([(await receipts.readReplies(query)).size, (await receipts.readReplies(other)).size]).toEqual([0, 2]);
  });

  it('publishes, raises floors and sends queries without handlers too', async () => {
    const broker = new MemoryBroker();
    await broker.start();
    await broker.watch([topic]);
    const { version } = await broker.publish(topic, {}, nothing);
    const { floor } = await broker.digest(0, { epoch: 'another epoch', version }, 0);
    broker.resetSubscription(0);
    await broker.receipts.sendQuery({ id: 'one', topics: [topic] });
    await signals();
    expect(floor).toBeGreaterThan(version);
    expect((await broker.read([topic]))[0]?.version).toBe(version);
  });

  it('signals nothing more after its watches were reset or it was stopped', async () => {
    const { broker, events } = await createBroker();
    await broker.watch([topic]);
    const { version } = await broker.publish(topic, {}, nothing);
    await signals();
    broker.resetSubscription(0);
    await broker.publish(topic, {}, nothing);
    await signals();
    await broker.watch([topic]);
    await broker.stop();
    await broker.publish(topic, {}, nothing);
    await signals();
    expect(events).toEqual([['up'], ['update', version], ['lost', 0]]);
  });
});
