import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChaosCluster } from '../support/chaos-cluster.ts';
import { RedisProcess } from '../support/redis-process.ts';

describe('no acknowledged update is lost to a client', () => {
  let redis: RedisProcess;
  let cluster: ChaosCluster;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    cluster = await ChaosCluster.start({ env: { REDIS_URL: redis.url } });
  });
  afterAll(async () => {
    await cluster?.stop();
    await redis?.stop();
  });

  it('when Redis is killed and comes back empty', async () => {
    const outcome = await cluster.measure('Redis comes back empty', async () => {
      await redis.kill();
      await rm(join(redis.dir, 'dump.rdb'), { force: true });
      await redis.run();
    });
    expect(outcome.behind).toBe(0);
  }, 60_000);
});
