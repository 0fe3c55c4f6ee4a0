import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Broker } from '../../services/shared/broker/broker.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import { REGISTER_TTL_MS } from '../../services/shared/broker/retention.ts';
import { parseTopic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { updateBody } from '../support/update-body.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const REDIS_URL = inject('redisUrl');

describeBroker('Redis', async () => redisBrokers({ REDIS_URL }));
describeReceipts('Redis', async () => redisBrokers({ REDIS_URL }));

const TTL_MS = 30_000;

describe('the membership of relays, after Redis lost it', () => {
  it('reports how many relays are missing until they register again or count as gone', async () => {
    const prefix = randomPrefix();
    let nowMs = 0;
    const { connect } = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix }, { monotonicMs: () => nowMs });
    const relays = ['one', 'two', 'three'].map((name) => ({ name, broker: connect() }));
    const [one, two, three] = relays.map(
      ({ name, broker }) =>
        () =>
          broker.exchangeLoad(name, { connections: 7, ttlMs: TTL_MS }),
    );
    for (const { broker } of relays) await broker.start();
    for (const exchange of [one, two, three, one, two]) await exchange?.();
    const membership = async () => {
      const { relays: ids = [], missing } = (await relays[0]?.broker.receipts.membership()) ?? {};
      return { relays: [...ids].sort(), missing };
    };
    expect(await membership()).toEqual({ relays: ['one', 'three', 'two'], missing: 0 });

    await askRedis(REDIS_URL, 'DEL', `${prefix}:relays`);
    expect(await membership()).toEqual({ relays: [], missing: 1 });
    await one?.();
    expect(await membership()).toEqual({ relays: ['one'], missing: 2 });
    await two?.();
    await one?.();
    nowMs = TTL_MS - 1;
    for (const exchange of [two, one, two, one]) await exchange?.();
    expect(await membership()).toEqual({ relays: ['one', 'two'], missing: 1 });
    nowMs = TTL_MS;
    await two?.();
    await one?.();
    await two?.();
    expect(await membership()).toEqual({ relays: ['one', 'two'], missing: 0 });
    await three?.();
    expect(await membership()).toEqual({ relays: ['one', 'three', 'two'], missing: 0 });
    for (const { broker } of relays) await broker.stop();
  });
});

describe('a register in Redis', () => {
  const prefix = randomPrefix();
  const topic = parseTopic('chat');
  let broker: Broker;
  beforeAll(async () => {
    broker = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix }).connect();
    await broker.start();
  });
  afterAll(() => broker?.stop());

  it('keeps data for DATA_RETENTION, and its version longer', async () => {
    const keys = new RedisKeys({ prefix, partitions: 4 });
    const short = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix, DATA_RETENTION: '1s' }).connect();
    await short.start();
    const body = { ...updateBody({ data: { n: 1 } }), spread: 5 };
    const { version } = await short.publish(topic, body, { epoch: '', version: 0 });
    expect(await broker.read([topic])).toEqual([{ topic, version, ...body }]);
    await eventually(async () => expect(await broker.read([topic])).toEqual([{ topic, version, spread: 5 }]));
    expect(Number(await askRedis(REDIS_URL, 'STRLEN', keys.data(topic)))).toBe(0);
    await short.stop();
  });

  it('is read as build 0.1.0 stored it, and stored as that build reads it', async () => {
    const keys = new RedisKeys({ prefix, partitions: 4 });
    const { version } = await broker.publish(topic, updateBody({ data: [1] }), { epoch: '', version: 0 });
    const stored = await askRedis(REDIS_URL, 'HGET', keys.register(topic), 'body');
    expect(JSON.parse(String(stored))).toEqual({});
    const later = version + 1;
    const body = '{"data":{"old":true},"traceparent":"00-x"}';
    await askRedis(REDIS_URL, 'HSET', keys.register(topic), 'version', String(later), 'body', body);
    expect(await broker.read([topic])).toEqual([{ topic, version: later, data: '{"old":true}', traceparent: '00-x' }]);
  });

  it('is kept for the retention by its version, even if the clock is behind the versions', async () => {
    for (const aheadMs of [0, 30 * 3600 * 1000]) {
      const seen = (Date.now() + aheadMs) * 1000;
      await broker.publish(topic, {}, { epoch: '', version: aheadMs === 0 ? 0 : seen });
      const leftMs = await askRedis(REDIS_URL, 'PTTL', new RedisKeys({ prefix, partitions: 4 }).register(topic));
      expect(Math.abs(Number(leftMs) - REGISTER_TTL_MS - aheadMs)).toBeLessThan(60_000);
    }
  });
});

describe('the floor in Redis', () => {
  const topic = parseTopic('chat');
  const partition = 0;
  const NOTHING_SEEN = { epoch: '', version: 0 };
  let redis: RedisProcess;
  let broker: Broker;
  beforeAll(async () => {
    redis = await RedisProcess.start({ args: ['--enable-debug-command', 'local', '--repl-diskless-sync-delay', '0'] });
    broker = redisBrokers({ REDIS_URL: redis.url, PARTITIONS: '1' }).connect();
    await broker.start();
  });
  afterAll(async () => {
    await broker?.stop();
    await redis?.stop();
  });

  const digest = () => broker.digest(partition, NOTHING_SEEN, 0);
  const replicationId = async () => /master_replid:(\w+)/.exec(String(await ask('INFO', 'replication')))?.[1];
  const ask = (...command: string[]) => askRedis(redis.port, ...command);

  it.each(['a caller that has seen nothing', 'the caller of the former raise'])(
    'is another one after a flush if the clock is behind, and %s comes first: clients may have its former value',
    async (first) => {
      const { epoch, last } = await digest();
      const witness = { epoch, version: last + 3_600_000_000 };
      await ask('FLUSHALL');
      const raise = async () => {
        if (first === 'a caller that has seen nothing') await digest();
        return broker.digest(partition, witness, 0);
      };
      const former = await raise();
      await ask('FLUSHALL');
      const raised = await raise();
      expect(raised.floor).toBeGreaterThan(witness.version);
      expect(raised.floor).not.toBe(former.floor);
      await ask('FLUSHALL');
    },
  );

  it('is the first one until a caller comes that knows earlier data, and after a loss of all data never', async () => {
    await ask('FLUSHALL');
    const first = await digest();
    expect(first.isFirstFloor).toBe(true);
    expect(await digest()).toMatchObject({ floor: first.floor, isFirstFloor: true });
    const witness = { epoch: 'another epoch', version: first.last - 1 };
    const raised = await broker.digest(partition, witness, 0);
    expect(raised.floor).toBeGreaterThan(first.floor);
    expect(raised.isFirstFloor).toBe(false);
    await ask('FLUSHALL');
    const { epoch, last: version } = raised;
    expect(await broker.digest(partition, { epoch, version }, 0)).toMatchObject({ isFirstFloor: false });
  });

  it('is raised if the process loads older data, and another publisher is the first to use them', async () => {
    const by = (publisher: string, version: number) => ({ promised: { publisher, version } });
    await digest();
    await ask('SAVE');
    const lost = await broker.publish(topic, {}, { ...NOTHING_SEEN, ...by('one', 0) });
    await ask('DEBUG', 'RELOAD', 'NOSAVE');
    await eventually(async () => {
      const other = await broker.publish(parseTopic('other'), {}, { ...NOTHING_SEEN, ...by('two', 0) });
      expect(other.version).toBeGreaterThan(lost.version);
    });
    expect((await digest()).floor).toBeLessThan(lost.version);
    const witness = { epoch: lost.epoch, version: lost.version, acknowledged: true, ...by('one', lost.version) };
    expect((await broker.digest(partition, witness, 0)).floor).toBeGreaterThan(lost.version);
  });

  it('stays, like the epoch, if the first replica attaches and if the backlog expires after the last one', async () => {
    const before = await digest();
    const ids = [await replicationId()];
    await ask('CONFIG', 'SET', 'repl-backlog-ttl', '1');
    const replica = await RedisProcess.start({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
    await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/), 15_000);
    ids.push(await replicationId());
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    await replica.stop();
    await eventually(async () => expect(ids).not.toContain(await replicationId()), 15_000);
    expect(ids[1]).not.toBe(ids[0]);
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    const acknowledged = { epoch: before.epoch, version: before.last, acknowledged: true };
    expect((await broker.digest(partition, acknowledged, 0)).floor).toBe(before.floor);
  });

  it('is raised if a master was a replica meanwhile and lost updates, even if no script ran on the other one', async () => {
    const other = await RedisProcess.start({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
    await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/), 15_000);
    await askRedis(other.port, 'REPLICAOF', 'NO', 'ONE');
    const { version } = await broker.publish(topic, {}, NOTHING_SEEN);
    await ask('REPLICAOF', '127.0.0.1', String(other.port));
    await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/master_link_status:up/), 15_000);
    await ask('REPLICAOF', 'NO', 'ONE');
    await other.stop();
    await eventually(async () => expect((await digest()).floor).toBeGreaterThan(version), 15_000);
  });
});
