import { afterEach, describe, expect, inject, it } from 'vitest';
import type { Broker, FeedHandler, RelayLoad } from '../../services/shared/broker/broker.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import {
  LOAD_TTL_MS,
  MAX_LISTED_RELAYS,
  MAX_TTL_DIFFERENCE_MS,
  relaySummaryTtlMs,
} from '../../services/shared/broker/retention.ts';
import { parseTopic } from '../../services/shared/update/topic.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { describeReceipts } from './receipts-contract.ts';

const REDIS_URL = inject('redisUrl');

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
    expect(Math.max(...loads.map(({ relays = 1 }) => relays))).toBeLessThanOrEqual(Math.ceil(200 / MAX_LISTED_RELAYS));
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

  it('is kept for as long as its entries, those too that were stored while no other entry was read', async () => {
    const prefix = randomPrefix();
    const broker = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix }).connect();
    await broker.start();
    const exchange = (i: number, ttlMs: number) => broker.exchangeLoad(`relay ${i}`, { connections: i, ttlMs });
    const exchangeAll = async () => {
      for (let i = 0; i <= MAX_LISTED_RELAYS; i += 1) await exchange(i, LONG_MS);
    };
    await exchangeAll();
    const begunAtMs = performance.now();
    const key = new RedisKeys({ prefix, partitions: 4 }).relays();
    const leftMs = async () => Number(await askRedis(REDIS_URL, 'PTTL', key)) + performance.now() - begunAtMs;
    await exchangeAll();
    expect(await leftMs()).toBeGreaterThanOrEqual(LONG_MS);
    await exchange(0, 2 * LONG_MS);
    expect(await leftMs()).toBeGreaterThanOrEqual(2 * LONG_MS);
    await exchange(1, LONG_MS / 2);
    expect(await leftMs()).toBeGreaterThanOrEqual(2 * LONG_MS);
    await broker.stop();
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
