import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { randomPrefix } from '../support/random-prefix.ts';
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
