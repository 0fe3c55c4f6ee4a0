import calculateSlot from 'cluster-key-slot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Witness } from '../../services/shared/broker/broker.ts';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import type { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import { RESTORE_TIME_MS } from '../../services/shared/broker/redis/redis-settings.ts';
import { eventually } from '../support/eventually.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { type RedisClusterFixture, startRedisCluster } from '../support/redis-cluster-fixture.ts';
import { redisStatsStores } from '../support/redis-stats-stores.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';
import { describeStatsStore } from './stats-store-contract.ts';

let redis: RedisClusterFixture;
beforeAll(async () => {
  redis = await startRedisCluster();
});
afterAll(() => redis?.stop());

describeBroker('Redis Cluster', async () => redisBrokers(redis.env));
describeReceipts('Redis Cluster', async () => redisBrokers(redis.env));

describeStatsStore('Redis Cluster', async () => redisStatsStores(redis.env));

describe('probes of partitions on Redis Cluster', () => {
  async function connect() {
    const prefix = randomPrefix();
    const keys = new RedisKeys({ prefix, partitions: 16 });
    const refusals: string[] = [];
    const report = { ...SILENT_REPORT, probeRefused: (reason: string) => void refusals.push(reason) };
    const env = { ...redis.env, HELIOGRAPH_PREFIX: prefix, PARTITIONS: '16' };
    const broker = redisBrokers(env, { report }).connect();
    broker.setFeedHandler({ deliver() {}, raiseFloor() {}, watchesLost() {}, linkUp() {} });
    await broker.start();
    const partitions = Array.from({ length: 16 }, (_, partition) => partition);
    let witnesses: readonly Witness[] = partitions.map(() => ({ epoch: '', version: 0 }));
    /** Probes every partition with what it has returned before, and returns what is proven of its signals. */
    const probeAll = async () => {
      const probes = await Promise.allSettled(
        witnesses.map((witness, partition) => broker.probe(partition, witness, 5000)),
      );
      witnesses = probes.map((probe, i) =>
        probe.status === 'fulfilled'
          ? { epoch: probe.value.epoch, version: probe.value.last, raiseId: probe.value.raiseId }
          : (witnesses[i] as Witness),
      );
      return probes.map((probe) => (probe.status === 'fulfilled' ? probe.value.signals : 'failed'));
    };
    await eventually(async () => expect(new Set(await probeAll())).toEqual(new Set(['complete'])));
    refusals.length = 0;
    return { broker, keys, probeAll, refusals };
  }

  it('are one call to each master', async () => {
    const { broker, keys, probeAll, refusals } = await connect();
    const masters = new Set(await Promise.all([0, 5, 10, 15].map((partition) => redis.masterOf(keys.slot(partition)))));
    expect(masters.size).toBe(3);
    for (const { port } of masters) await askRedis(port, 'CONFIG', 'RESETSTAT');
    expect(new Set(await probeAll())).toEqual(new Set(['complete']));
    for (const { port } of masters) {
      const calls = String(await askRedis(port, 'INFO', 'commandstats'));
      expect(calls).toMatch(/cmdstat_evalsha:calls=1,/);
      expect(calls).not.toMatch(/cmdstat_eval:/);
    }
    expect(refusals).toEqual([]);
    await broker.stop();
  });

  it('prove the other partitions while the slot of one moves, and report the refusal', async () => {
    const { broker, keys, probeAll, refusals } = await connect();
    const [slot, elsewhere] = [keys.slot(0), keys.slot(15)];
    const [home, away] = await Promise.all([redis.masterOf(slot), redis.masterOf(elsewhere)]);
    await redis.moveKeys(slot, away);
    expect(await probeAll()).toEqual(['failed', ...new Array(15).fill('complete')]);
    expect(refusals).toHaveLength(1);
    await redis.moveSlot(slot, away);
    await eventually(async () => expect(new Set(await probeAll())).toEqual(new Set(['complete'])));
    await redis.moveSlot(slot, home);
    await broker.stop();
  });
});

describe('a broker on Redis Cluster with fewer partitions than masters', () => {
  it('stores responses on every master', async () => {
    const broker = redisBrokers({ ...redis.env, PARTITIONS: '1' }).connect();
    await broker.start();
    const ids = Array.from({ length: 20 }, (_, i) => `answer-${i}`);
    await Promise.all(ids.map((id) => broker.storeResponse(id, `to ${id}`)));
    expect(await Promise.all(ids.map((id) => broker.loadOrReserve(id, '')))).toEqual(ids.map((id) => `to ${id}`));
    await broker.stop();
  });

  it('fails to start if the cluster runs with other settings, whichever master holds them', async () => {
    const started: RedisBroker[] = [];
    for (let n = 0; n < 6; n += 1) {
      const env = { ...redis.env, HELIOGRAPH_PREFIX: randomPrefix() };
      const [one, two] = ['1', '2'].map((PARTITIONS) => redisBrokers({ ...env, PARTITIONS }).connect()) as [
        RedisBroker,
        RedisBroker,
      ];
      started.push(one, two);
      await one.start();
      await expect(two.start()).rejects.toMatchObject({ code: 'settings_differ' });
    }
    await Promise.all(started.map((broker) => broker.stop()));
  });

  it('keeps the settings if Redis loses them, and serves nothing while they differ', async () => {
    const prefix = randomPrefix();
    const env = { ...redis.env, HELIOGRAPH_PREFIX: prefix };
    const key = `${prefix}:config`;
    const { port } = await redis.masterOf(calculateSlot(key));
    const running = redisBrokers({ ...env, PARTITIONS: '4' }).connect();
    await running.start();
    const settings = await askRedis(port, 'GET', key);
    await askRedis(port, 'DEL', key);
    const other = redisBrokers({ ...env, PARTITIONS: '8' }, { restoreTimeMs: 2 * RESTORE_TIME_MS }).connect();
    await expect(other.start()).rejects.toMatchObject({ code: 'settings_differ' });
    await askRedis(port, 'SET', key, '{"partitions":8,"pubsub":"sharded"}');
    const digests = () =>
      Promise.all([0, 1, 2, 3].map((partition) => running.digest(partition, { epoch: '', version: 0 }, 0)));
    await eventually(() => expect(digests()).rejects.toMatchObject({ code: 'settings_differ' }));
    await askRedis(port, 'SET', key, String(settings));
    await eventually(() => expect(digests()).resolves.toHaveLength(4));
    await Promise.all([running.stop(), other.stop()]);
  });

  it('fails to start if a node of Redis Cluster is configured as a single Redis', async () => {
    const { REDIS_USERNAME, REDIS_PASSWORD } = redis.env as Record<string, string>;
    for (const { port } of redis.nodes) {
      const prefix = { HELIOGRAPH_PREFIX: randomPrefix() };
      const proper = redisBrokers({ ...redis.env, ...prefix }).connect();
      await proper.start();
      const url = `redis://${REDIS_USERNAME}:${REDIS_PASSWORD}@127.0.0.1:${port}`;
      const other = redisBrokers({ REDIS_URL: url, ...prefix }).connect();
      await expect(other.start()).rejects.toMatchObject({ code: 'settings_differ' });
      await Promise.all([proper.stop(), other.stop()]);
    }
  });
});
