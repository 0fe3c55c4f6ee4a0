import { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { Broker, FeedHandler, RelayLoad } from '../../services/shared/broker/broker.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import {
  LOAD_TTL_MS,
  MAX_TTL_DIFFERENCE_MS,
  REGISTER_TTL_MS,
  RETENTION_US,
  relaySummaryTtlMs,
} from '../../services/shared/broker/retention.ts';
import { parseTopic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { updateBody } from '../support/update-body.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const REDIS_URL = inject('redisUrl');

describeBroker('Redis', async () => redisBrokers({ REDIS_URL }));
describeReceipts('Redis', async () => redisBrokers({ REDIS_URL }));

const TTL_MS = 30_000;

describe('the relay registry, after Redis lost entries', () => {
  const brokers: Broker[] = [];
  afterEach(async () => {
    for (const broker of brokers.splice(0)) await broker.stop();
  });

  /** Connects processes of one cluster to a server. */
  function connectTo(url: string) {
    const prefix = randomPrefix();
    const record = new RedisKeys({ prefix, partitions: 1 }).registry();
    const { connect } = redisBrokers({ REDIS_URL: url, HELIOGRAPH_PREFIX: prefix });
    const start = async (handler?: FeedHandler) => {
      const broker = connect();
      if (handler) broker.setFeedHandler(handler);
      brokers.push(broker);
      await broker.start();
      return broker;
    };
    return {
      /** Starts a webhook. Returns a function that reads the registry. */
      async webhook() {
        const { receipts } = await start();
        return async () => {
          const { relays, missing } = await receipts.membership();
          return { relays: [...relays].sort(), missing };
        };
      },
      /** Starts a relay. Returns a function that registers it. */
      async relay(name: string, ttlMs = TTL_MS) {
        const broker = await start({ deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} });
        const register = () => broker.exchangeLoad(name, { connections: 7, ttlMs });
        await register();
        return register;
      },
      registry: `${prefix}:relays`,
      record,
      lose: () => askRedis(url, 'DEL', `${prefix}:relays`, record),
    };
  }

  it('is complete if it is new, and no process knows of an earlier one', async () => {
    const cluster = connectTo(REDIS_URL);
    const membership = await cluster.webhook();
    await cluster.relay('one');
    expect(await membership()).toEqual({ relays: ['one'], missing: 0 });
    await cluster.relay('two');
    expect(await membership()).toEqual({ relays: ['one', 'two'], missing: 0 });
  });

  it('is incomplete for as long as an entry may live, that of a relay that exchanged less often too', async () => {
    const cluster = connectTo(REDIS_URL);
    const membership = await cluster.webhook();
    const ttlMs = 2500;
    const cutOffTtlMs = ttlMs + MAX_TTL_DIFFERENCE_MS;
    const one = await cluster.relay('one', ttlMs);
    await cluster.relay('cut off', cutOffTtlMs);
    await one();
    expect(await membership()).toEqual({ relays: ['cut off', 'one'], missing: 0 });
    await cluster.lose();
    const lostAtMs = performance.now();
    const two = await cluster.relay('two', ttlMs);
    await one();
    await two();
    expect(await membership()).toEqual({ relays: ['one', 'two'], missing: 1 }); // as many as before
    await eventually(async () => {
      await Promise.all([one(), two()]);
      expect(await membership()).toEqual({ relays: ['one', 'two'], missing: 0 });
    }, 15_000);
    expect(performance.now() - lostAtMs).toBeGreaterThanOrEqual(cutOffTtlMs);
  });

  it('is complete again at once when all that were registered have returned', async () => {
    const cluster = connectTo(REDIS_URL);
    const membership = await cluster.webhook();
    const one = await cluster.relay('one');
    const two = await cluster.relay('two');
    await one();
    await cluster.lose();
    await cluster.relay('new');
    await one();
    expect(await membership()).toEqual({ relays: ['new', 'one'], missing: 1 });
    await two();
    expect(await membership()).toEqual({ relays: ['new', 'one', 'two'], missing: 0 });
  });

  it('is incomplete after a second loss until the relays return that had registered since the first one', async () => {
    const cluster = connectTo(REDIS_URL);
    const membership = await cluster.webhook();
    const one = await cluster.relay('one');
    await cluster.lose();
    await one();
    await cluster.relay('two');
    await one();
    await cluster.lose();
    await one();
    expect(await membership()).toEqual({ relays: ['one'], missing: 1 });
  });

  it('is incomplete for a webhook that knew it, if a new relay is the first to register', async () => {
    const cluster = connectTo(REDIS_URL);
    const membership = await cluster.webhook();
    await cluster.relay('cut off');
    await cluster.lose();
    await cluster.relay('new');
    expect(await membership()).toEqual({ relays: ['new'], missing: 1 });
    expect(await (await cluster.webhook())()).toEqual({ relays: ['new'], missing: 1 });
  });

  it('is incomplete for a new webhook, once a relay that was registered before has registered again', async () => {
    const cluster = connectTo(REDIS_URL);
    const one = await cluster.relay('one');
    await cluster.relay('cut off');
    await one();
    await cluster.lose();
    await cluster.relay('new');
    await one();
    expect(await (await cluster.webhook())()).toEqual({ relays: ['new', 'one'], missing: 1 });
  });

  it('is incomplete for as long after a second loss, also for a webhook that knew only what was before the first one', async () => {
    const cluster = connectTo(REDIS_URL);
    const former = await cluster.webhook();
    await cluster.relay('one');
    await former();
    await cluster.lose();
    const two = await cluster.relay('two');
    await cluster.relay('cut off');
    await two();
    await askRedis(REDIS_URL, 'DEL', cluster.registry);
    await two();
    const record = await askRedis(REDIS_URL, 'GET', cluster.record);
    expect(await former()).toEqual({ relays: ['two'], missing: 1 });
    expect(await askRedis(REDIS_URL, 'GET', cluster.record)).toBe(record); // which holds the time of the second loss
  });

  it('is incomplete if a single entry is gone', async () => {
    const cluster = connectTo(REDIS_URL);
    const membership = await cluster.webhook();
    const one = await cluster.relay('one');
    await cluster.relay('cut off');
    await one();
    await askRedis(REDIS_URL, 'DEL', cluster.registry);
    await one();
    expect(await membership()).toEqual({ relays: ['one'], missing: 1 });
  });

  it("is incomplete if the server's clock has stepped, so that entries expire early", async () => {
    for (const stepS of [60, -60]) {
      const cluster = connectTo(REDIS_URL);
      const membership = await cluster.webhook();
      const one = await cluster.relay('one');
      await cluster.relay('cut off');
      await one();
      for (const name of ['one', 'cut off']) {
        const entry = String(await askRedis(REDIS_URL, 'HGET', cluster.registry, name));
        const stored = `${Number(entry.slice(0, 16)) - stepS * 1_000_000}${entry.slice(16)}`;
        await askRedis(REDIS_URL, 'HSET', cluster.registry, name, stored);
      }
      await one();
      expect(await membership()).toEqual({ relays: ['one'], missing: 1 });
    }
  });

  it('is incomplete after Redis restarted with older data', async () => {
    await using redis = await RedisProcess.start();
    const cluster = connectTo(redis.url);
    const one = await cluster.relay('one');
    await askRedis(redis.port, 'SAVE');
    await cluster.relay('cut off');
    await one();
    await redis.kill();
    await redis.run(['--appendonly', 'no']);
    await eventually(one);
    // Noticed by the first relay: the record has the time of the loss.
    expect(await askRedis(redis.port, 'GET', cluster.record)).toMatch(/^\d+ [1-9]\d+ /);
    const membership = await cluster.webhook();
    expect(await membership()).toEqual({ relays: ['one'], missing: 1 });
  });

  it('is incomplete after Redis loaded older data in the same process', async () => {
    await using redis = await RedisProcess.start({ args: ['--enable-debug-command', 'yes'] });
    const cluster = connectTo(redis.url);
    await cluster.relay('one');
    await askRedis(redis.port, 'SAVE');
    const membership = await cluster.webhook();
    await cluster.relay('cut off');
    await askRedis(redis.port, 'DEBUG', 'RELOAD', 'NOSAVE');
    expect(await membership()).toEqual({ relays: ['one'], missing: 1 });
  });

  it('stays complete when a relay leaves or registers late, and when a first replica attaches', async () => {
    await using redis = await RedisProcess.start();
    await using replica = await RedisProcess.start();
    const cluster = connectTo(redis.url);
    const membership = await cluster.webhook();
    const one = await cluster.relay('one');
    const late = await cluster.relay('late', 100);
    await eventually(async () => expect((await membership()).relays).toEqual(['one']));
    await late();
    expect((await membership()).missing).toBe(0);
    await askRedis(replica.port, 'REPLICAOF', '127.0.0.1', redis.port);
    await eventually(async () =>
      expect(String(await askRedis(redis.port, 'INFO', 'replication'))).toContain('connected_slaves:1'),
    );
    await one();
    expect((await membership()).missing).toBe(0);
  });
});

describe('the relay registry of a large cluster', () => {
  /** No relay registers again, however slow Redis is. */
  const LONG_MS = 600_000;

  it('returns groups, which hold the exact number and sum of connections, and the least and the most', async () => {
    const prefix = randomPrefix();
    const { connect } = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix });
    const broker = connect();
    await broker.start();
    const exchange = (i: number, load: RelayLoad | undefined) => broker.exchangeLoad(`relay ${i}`, load);
    const totals = (loads: readonly RelayLoad[]) => {
      const sum = { relays: 0, connections: 0, shed: 0 };
      for (const { relays = 1, connections, shed = 0 } of loads) {
        sum.relays += relays;
        sum.connections += relays * connections;
        sum.shed += shed;
      }
      return sum;
    };
    let loads: readonly RelayLoad[] = [];
    const stored = Array.from(
      { length: 200 },
      (_, i): RelayLoad => ({ connections: (i * i * 37) % 1009, shed: i % 3, ttlMs: LONG_MS }),
    );
    for (const [i, load] of stored.entries()) {
      loads = await exchange(i, load);
      expect(totals(loads)).toEqual(totals(stored.slice(0, i + 1)));
    }
    expect(loads.length).toBeLessThan(80);
    const all = stored.map(({ connections }) => connections);
    const each = loads.map(({ connections }) => connections);
    expect([Math.min(...each), Math.max(...each)]).toEqual([Math.min(...all), Math.max(...all)]);
    expect(loads.some(({ isNew, draining }) => isNew || draining)).toBe(false);

    loads = await exchange(200, { connections: 7, isNew: true, ttlMs: LONG_MS });
    expect(loads.filter(({ isNew }) => isNew).length).toBeGreaterThan(0);
    await exchange(201, { connections: 5, draining: true, ttlMs: LONG_MS });
    loads = await exchange(202, { connections: 8, draining: true, ttlMs: LONG_MS });
    expect(totals(loads.filter(({ draining }) => draining))).toEqual({ relays: 2, connections: 13, shed: 0 });
    expect(totals(await exchange(200, undefined)).relays).toBe(202);
    expect((await broker.receipts.membership()).relays).toHaveLength(202);
    const entries = String(await askRedis(REDIS_URL, 'HVALS', new RedisKeys({ prefix, partitions: 4 }).relays()));
    expect(entries).not.toContain('returned'); // nothing was lost
    await broker.stop();
  });

  it('is read by one exchange in a while, whatever the number of relays', async () => {
    const redis = await RedisProcess.start();
    const prefix = randomPrefix();
    const env = { REDIS_URL: redis.url, HELIOGRAPH_PREFIX: prefix, REDIS_TIMEOUT: '30s' };
    const broker = redisBrokers(env).connect();
    await broker.start();
    const exchangeAll = () =>
      Promise.all(
        Array.from({ length: 200 }, (_, i) => broker.exchangeLoad(`relay ${i}`, { connections: i, ttlMs: LONG_MS })),
      );
    const bytesSent = async () =>
      Number(/total_net_output_bytes:(\d+)/.exec(String(await askRedis(redis.port, 'INFO', 'stats')))?.[1]);
    const readsOfEntries = async () => {
      const stats = String(await askRedis(redis.port, 'INFO', 'commandstats'));
      return Number(/cmdstat_hgetall:calls=(\d+)/.exec(stats)?.[1]);
    };
    await exchangeAll();
    const [reads, bytes] = [await readsOfEntries(), await bytesSent()];
    await exchangeAll();
    // Each reads the receipt queries. All entries are read again only if that while is over.
    expect((await readsOfEntries()) - reads - 200).toBeLessThan(20);
    expect(((await bytesSent()) - bytes) / 200).toBeLessThan(4096);
    const entries = String(await askRedis(redis.port, 'HVALS', new RedisKeys({ prefix, partitions: 4 }).relays()));
    expect(entries).not.toContain('returned'); // nothing was lost
    await broker.stop();
    await redis.stop();
  });

  it('is deleted as its entries expire, and so are stored receipt queries', async () => {
    const prefix = randomPrefix();
    const keys = new RedisKeys({ prefix, partitions: 4 });
    const broker = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix }).connect();
    await broker.start();
    const ask = async (command: string, key: string) => Number(await askRedis(REDIS_URL, command, key));
    await broker.exchangeLoad('gone', { connections: 3, ttlMs: 100 });
    await broker.exchangeLoad('long', { connections: 3, ttlMs: TTL_MS });
    await broker.exchangeLoad('short', { connections: 3, ttlMs: TTL_MS / 2 });
    await eventually(async () => expect((await broker.receipts.membership()).relays).toHaveLength(2));
    expect(await ask('HLEN', keys.relays())).toBe(2);
    const leftMs = await ask('PTTL', keys.relays());
    expect(leftMs).toBeGreaterThan(TTL_MS / 2);
    expect(leftMs).toBeLessThanOrEqual(TTL_MS + relaySummaryTtlMs(0));
    await broker.receipts.storeQuery({ id: 'one', topics: [parseTopic('chat')] });
    const queriesLeftMs = await ask('PTTL', keys.receiptQueries());
    expect(queriesLeftMs).toBeGreaterThan(0);
    expect(queriesLeftMs).toBeLessThanOrEqual(LOAD_TTL_MS);
    await broker.stop();
  });

  it('is stored as build 0.2.0 reads it, and read as that build stores it', async () => {
    const prefix = randomPrefix();
    const broker = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix }).connect();
    await broker.start();
    await broker.exchangeLoad('new', { connections: 3, ttlMs: TTL_MS });
    const text = String(await askRedis(REDIS_URL, 'HGET', `${prefix}:relays`, 'new'));
    expect(text).toMatch(/^\d{16} \{/);
    expect(JSON.parse(text.slice(17))).toEqual({ connections: 3, ttlMs: TTL_MS, seen: 1 });
    const [seconds, us] = (await askRedis(REDIS_URL, 'TIME')) as [string, string];
    const old = `${seconds}${us.padStart(6, '0')} {"connections":9,"seen":2}`;
    await askRedis(REDIS_URL, 'HSET', `${prefix}:relays`, 'old', old);
    const loads = await broker.exchangeLoad('new', { connections: 3, ttlMs: TTL_MS });
    expect(loads).toHaveLength(2);
    expect(loads).toContainEqual({ connections: 9 });
    expect((await broker.receipts.membership()).relays).toContain('old');
    // What another release may write counts as zero.
    const odd = ['{"connections":-9,"relays":0,"shed":1.5,"draining":1,"isNew":"yes","seen":-2}', 'no JSON'];
    for (const each of odd) {
      await askRedis(
        REDIS_URL,
        'HSET',
        `${prefix}:relays`,
        each.slice(0, 7),
        `${seconds}${us.padStart(6, '0')} ${each}`,
      );
    }
    const withOdd = await broker.exchangeLoad('new', { connections: 3, ttlMs: TTL_MS });
    expect(withOdd.filter(({ connections }) => connections === 0)).toStrictEqual([
      { connections: 0 },
      { connections: 0 },
    ]);
    expect((await broker.receipts.membership()).missing).toBe(0);
    await broker.stop();
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

  it('outlives the retention by half an hour at least, however often it is updated', async () => {
    const key = new RedisKeys({ prefix, partitions: 4 }).register(topic);
    const { version: first, epoch } = await broker.publish(topic, {}, { epoch: '', version: 0 });
    for (let minutes = 100 * 60; minutes < 103 * 60; minutes += 7) {
      const seen = { epoch, version: first + minutes * 60_000_000 };
      const { version } = await broker.publish(topic, {}, seen);
      const expiresAtUs = (Date.now() + Number(await askRedis(REDIS_URL, 'PTTL', key))) * 1000;
      expect(expiresAtUs - version).toBeGreaterThan(RETENTION_US + 1800 * 1_000_000);
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

  it('is below the base after half a day without updates, and later versions are above the base', async () => {
    await digest();
    const meta = String(await ask('KEYS', '*:meta'));
    const old = (Date.now() - 13 * 3_600_000) * 1000;
    await ask('HSET', meta, 'floor', String(old), 'last', String(old));
    const { floor, base, last } = await digest();
    expect([floor, last]).toEqual([old, base]);
    expect(base).toBeGreaterThan(old);
    expect(await ask('HGET', meta, 'last')).toBe(String(base)); // also if the clock goes back
    expect(await broker.probe(partition, NOTHING_SEEN, 0)).toMatchObject({ floor, base, last });
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
    const witness = { epoch: lost.epoch, version: lost.version, acknowledged: [1], ...by('one', lost.version) };
    expect((await broker.digest(partition, witness, 0)).floor).toBeGreaterThan(lost.version);
  });

  it('stays, like the epoch, if the first replica attaches and if the backlog expires after the last one', async () => {
    const before = await digest();
    const ids = [await replicationId()];
    await ask('CONFIG', 'SET', 'repl-backlog-ttl', '1');
    const replica = await RedisProcess.start({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
    await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/));
    ids.push(await replicationId());
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    await replica.stop();
    await eventually(async () => expect(ids).not.toContain(await replicationId()));
    expect(ids[1]).not.toBe(ids[0]);
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    const acknowledged = { epoch: before.epoch, version: before.last, acknowledged: [1] };
    expect((await broker.digest(partition, acknowledged, 0)).floor).toBe(before.floor);
    const ahead = { epoch: before.epoch, version: before.last + 1 };
    const raised = await broker.digest(partition, ahead, 0);
    expect(raised.epoch).toBe(before.epoch);
    expect(raised.floor).toBeGreaterThan(ahead.version);
  });

  it('stays if its record is one of an older release, also when the first replica attaches later', async () => {
    await ask('FLUSHALL');
    const before = await digest();
    const meta = String(await ask('KEYS', '*:meta'));
    await ask('HDEL', meta, 'server', 'loaded');
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
    await using replica = await RedisProcess.start();
    await askRedis(replica.port, 'REPLICAOF', '127.0.0.1', String(redis.port));
    await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/));
    expect(await digest()).toMatchObject({ epoch: before.epoch, floor: before.floor });
  });

  it('is raised each time that a master was a replica meanwhile and lost updates, even if no script ran on the other one', async () => {
    // The second time, the number of keys that it loads is that of the first time.
    for (let round = 0; round < 2; round += 1) {
      const replica = ['--replicaof', '127.0.0.1', String(redis.port), '--repl-diskless-sync-delay', '0'];
      await using other = await RedisProcess.start({ args: replica });
      await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/state=online/));
      await askRedis(other.port, 'REPLICAOF', 'NO', 'ONE');
      const { version } = await broker.publish(topic, {}, NOTHING_SEEN);
      await ask('REPLICAOF', '127.0.0.1', String(other.port));
      await eventually(async () => expect(await ask('INFO', 'replication')).toMatch(/master_link_status:up/));
      await ask('REPLICAOF', 'NO', 'ONE');
      await eventually(async () => expect((await digest()).floor).toBeGreaterThan(version));
    }
  });
});

describe('a publish in Redis', () => {
  const topic = parseTopic('chat');
  const other = parseTopic('other');
  const NOTHING_SEEN = { epoch: '', version: 0 };
  const prefix = randomPrefix();
  const env = { HELIOGRAPH_PREFIX: prefix, PARTITIONS: '1' };
  const start = (args: readonly string[] = []) =>
    RedisProcess.start({ args: ['--enable-debug-command', 'local', '--repl-diskless-sync-delay', '0', ...args] });
  const floorIn = async (redis: RedisProcess) => {
    const meta = new RedisKeys({ prefix, partitions: 1 }).meta(0);
    return Number(await askRedis(redis.port, 'HGET', meta, 'floor'));
  };
  const follow = async (replica: RedisProcess, master: RedisProcess) => {
    await askRedis(replica.port, 'REPLICAOF', '127.0.0.1', String(master.port));
    await eventually(async () =>
      expect(await askRedis(replica.port, 'INFO', 'replication')).toMatch(/master_link_status:up/),
    );
  };
  const promote = (replica: RedisProcess) => askRedis(replica.port, 'REPLICAOF', 'NO', 'ONE');

  /** Connects a webhook's broker whose clock stands still; it has published just now, so that it knows its server. */
  async function connectPublisher(url: string, publisher = 'one') {
    const clock = { nowMs: 0 };
    const broker = redisBrokers({ ...env, REDIS_URL: url }, { monotonicMs: () => clock.nowMs }).connect();
    await broker.start();
    let newest = { epoch: '', version: 0 };
    let acknowledgements = 0;
    const publish = async () => {
      const promised = { publisher, version: newest.version };
      const acknowledged = acknowledgements > 0 ? { acknowledged: [acknowledgements] } : {};
      newest = await broker.publish(topic, {}, { ...newest, ...acknowledged, promised });
      acknowledgements += 1;
      return newest;
    };
    await publish();
    await publish();
    return { broker, clock, publish };
  }

  it('reads INFO once a second and connection, not each time, also after its server got a replica', async () => {
    await using redis = await start();
    const { broker, clock, publish } = await connectPublisher(redis.url);
    const stats = async () => String(await askRedis(redis.port, 'INFO', 'commandstats'));
    const count = async () => Number(/cmdstat_info:calls=(\d+)/.exec(await stats())?.[1]);
    const counted = await count();
    let next = await count();
    const own = next - counted;
    const expectSections = async (sections: number) => {
      for (let i = 0; i < 10; i += 1) await publish();
      expect(await count()).toBe(next + own + sections);
      next += own + sections;
    };
    await expectSections(0);
    for (const [laterMs, sections] of [
      [1000, 2],
      [999, 0],
      [1, 2],
    ] as const) {
      clock.nowMs += laterMs;
      await expectSections(sections);
    }
    await using replica = await start();
    await follow(replica, redis);
    clock.nowMs += 1000;
    await publish(); // finds that only the replication id is another one
    clock.nowMs += 1000;
    await publish();
    next = await count();
    await expectSections(0);
    await broker.stop();
  });

  it('renews the time to live of a register at most once in ten minutes', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    for (let i = 0; i < 10; i += 1) await publish();
    const stats = String(await askRedis(redis.port, 'INFO', 'commandstats'));
    // Twice if the tests run at the end of ten minutes.
    expect(Number(/cmdstat_pexpire:calls=(\d+)/.exec(stats)?.[1])).toBeLessThanOrEqual(2);
    await broker.stop();
  });

  it('assigns versions that are the time of the server, whether it reads INFO or not', async () => {
    await using redis = await start();
    const { broker, clock, publish } = await connectPublisher(redis.url);
    const timeUs = async () => {
      const [seconds, us] = (await askRedis(redis.port, 'TIME')) as [string, string];
      return Number(seconds) * 1_000_000 + Number(us);
    };
    for (const laterMs of [0, 0, 1000]) {
      clock.nowMs += laterMs;
      const beforeUs = await timeUs();
      const { version } = await publish();
      expect(version).toBeGreaterThanOrEqual(beforeUs);
      expect(version).toBeLessThanOrEqual(await timeUs());
    }
    await broker.stop();
  });

  it('forgets publishers that have published nothing for two days, at the digest of another publisher', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    const { version } = await publish();
    const meta = new RedisKeys({ prefix, partitions: 1 }).meta(0);
    const [old, recent] = [49, 47].map((hours) => String(version - hours * 3_600_000_000)) as [string, string];
    const gone = ['published:gone', old, 'covered:gone', `7 ${old}`];
    await askRedis(redis.port, 'HSET', meta, ...gone, 'published:idle', recent, 'covered:idle', `7 ${recent}`);
    const all = ((await askRedis(redis.port, 'HKEYS', meta)) as string[]).sort();
    await broker.digest(0, NOTHING_SEEN, 0); // of a relay
    expect(((await askRedis(redis.port, 'HKEYS', meta)) as string[]).sort()).toEqual(all);
    await broker.digest(0, { ...NOTHING_SEEN, promised: { publisher: 'one', version: 0 } }, 0);
    const left = all.filter((field) => !field.endsWith(':gone'));
    expect(((await askRedis(redis.port, 'HKEYS', meta)) as string[]).sort()).toEqual(left);
    expect(left).toEqual(expect.arrayContaining(['covered:idle', 'floor', 'last', 'published:idle', 'published:one']));
    await broker.stop();
  });

  it('sends the calls of one turn of the event loop with one system call', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    const [write, writeAll] = [vi.spyOn(Socket.prototype, '_write'), vi.spyOn(Socket.prototype, '_writev' as 'write')];
    await Promise.all(Array.from({ length: 10 }, publish));
    const chunks = [...write.mock.calls, ...writeAll.mock.calls].map(([chunk]) => JSON.stringify(chunk));
    vi.restoreAllMocks();
    expect(chunks.filter((text) => text.includes('evalsha'))).toHaveLength(1);
    await broker.stop();
  });

  it('raises the floor on another server, even if that has the same data and was reached within the second', async () => {
    await using master = await start();
    await using replica = await start();
    await follow(replica, master);
    let link = await TcpProxy.start(master.port);
    const { port } = link;
    const { broker, publish } = await connectPublisher(`redis://127.0.0.1:${port}`);
    const { version } = await publish();
    await eventually(async () => {
      const register = new RedisKeys({ prefix, partitions: 1 }).register(topic);
      expect(await askRedis(replica.port, 'HGET', register, 'version')).toBe(String(version));
    });
    await link.stop();
    await promote(replica);
    link = await TcpProxy.start(replica.port, port);
    await eventually(() => publish());
    expect(await floorIn(replica)).toBeGreaterThan(version);
    await broker.stop();
    await link.stop();
  });

  it('raises the floor within a second if its master was a replica meanwhile, and no script ran on the other one', async () => {
    await using master = await start();
    await using replica = await start();
    await follow(replica, master);
    const lost = await connectPublisher(master.url, 'one');
    const { broker, clock, publish } = await connectPublisher(master.url, 'two');
    const { version: known } = await publish();
    await eventually(async () => {
      const register = new RedisKeys({ prefix, partitions: 1 }).register(topic);
      expect(await askRedis(replica.port, 'HGET', register, 'version')).toBe(String(known));
    });
    await promote(replica);
    const { version } = await lost.publish();
    await lost.broker.stop();
    await follow(master, replica);
    await promote(master);
    await publish();
    clock.nowMs += 1000;
    await publish();
    expect(await floorIn(master)).toBeGreaterThan(version);
    await broker.stop();
  });

  it('raises the floor on the same connection if older data were loaded, and another publisher was first', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    await askRedis(redis.port, 'SAVE');
    const { version } = await publish();
    await askRedis(redis.port, 'DEBUG', 'RELOAD', 'NOSAVE');
    await connectPublisher(redis.url, 'two').then((two) => two.broker.stop());
    expect(await floorIn(redis)).toBeLessThan(version);
    await publish();
    expect(await floorIn(redis)).toBeGreaterThan(version);
    await broker.stop();
  });

  it('counts what a process has seen after Redis forgot the scripts, and after a flush', async () => {
    await using redis = await start();
    const { broker, publish } = await connectPublisher(redis.url);
    const { version } = await publish();
    await askRedis(redis.port, 'SCRIPT', 'FLUSH');
    const next = await publish();
    expect(next.version).toBeGreaterThan(version);
    expect(await floorIn(redis)).toBeLessThan(version);
    await askRedis(redis.port, 'FLUSHALL');
    await publish();
    expect(await floorIn(redis)).toBeGreaterThan(next.version);
    await broker.stop();
  });

  it('keeps a list of recent changes that covers two minutes and little more', async () => {
    await using redis = await start();
    const keys = new RedisKeys({ prefix, partitions: 1 });
    const { broker, publish } = await connectPublisher(redis.url);
    const { version, epoch } = await publish();
    const publishLater = async (seconds: number) => {
      const later = await broker.publish(other, {}, { epoch, version: version + seconds * 1_000_000 });
      const { completeAfter } = await broker.digest(0, NOTHING_SEEN, 0);
      expect(later.version - completeAfter).toBeGreaterThan(119_000_000);
      expect(later.version - completeAfter).toBeLessThan(155_000_000);
      return await askRedis(redis.port, 'ZSCORE', keys.recent(0), topic);
    };
    await publishLater(200);
    const again = await broker.publish(topic, {}, { epoch, version: version + 210 * 1_000_000 });
    expect(await publishLater(300)).toBe(String(again.version));
    expect(await publishLater(370)).toBe(null);
    await broker.stop();
  });
});
