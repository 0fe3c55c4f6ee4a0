import { afterAll, beforeAll } from 'vitest';
import { redisBrokers } from '../support/redis-brokers.ts';
import { type RedisClusterFixture, startRedisCluster } from '../support/redis-cluster-fixture.ts';
import { describeBroker } from './broker-contract.ts';

let redis: RedisClusterFixture;
beforeAll(async () => {
  redis = await startRedisCluster();
});
afterAll(() => redis?.stop());

describeBroker('Redis Cluster', async () => redisBrokers(redis.env));
