import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readReadmeAcl } from '../support/readme-acl.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { redisStatsStores } from '../support/redis-stats-stores.ts';
import { describeStatsStore } from './stats-store-contract.ts';

const { rules, username, password } = readReadmeAcl({ stats: true });
let redis: RedisProcess;

beforeAll(async () => {
  redis = await RedisProcess.start({ args: ['--user', username, ...rules] });
});
afterAll(() => redis?.stop());

const env = () => ({ REDIS_URL: `redis://${username}:${password}@127.0.0.1:${redis.port}` });

describeStatsStore('Redis, as the user that the README recommends', async () => redisStatsStores(env()));

describe('the store of statistics in Redis', () => {
  it('never tries what its user may not do', async () => {
    expect(await askRedis(redis.port, 'ACL', 'LOG')).toEqual([]);
  });

  it('leaves nothing behind that does not end by itself', async () => {
    const keys = (await askRedis(redis.port, 'KEYS', '*{stats}*')) as string[];
    expect(keys.length).toBeGreaterThan(0);
    const ends = await Promise.all(keys.map((key) => askRedis(redis.port, 'PTTL', key)));
    expect(ends.filter((ttl) => Number(ttl) < 0)).toEqual([]);
  });

  it('fails at once where there is no Redis, and works again when there is', async () => {
    const other = await RedisProcess.start();
    const store = redisStatsStores({ REDIS_URL: other.url, REDIS_TIMEOUT: '300ms' }).connect();
    await store.start();
    const report = { process: 'one', record: '{}', calls: new Map(), parts: [], wanted: [] };
    await store.write(report);
    await other.kill();
    await expect(store.write(report)).rejects.toThrow();
    await other.run();
    await expect
      .poll(
        () =>
          store.write(report).then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
    await store.stop();
    await other.stop();
  });
});
