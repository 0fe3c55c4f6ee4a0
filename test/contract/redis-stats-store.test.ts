import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
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

describeStatsStore('Redis, as the documented ACL user', async () => redisStatsStores(env()));

describe('the statistics store in Redis', () => {
  it('uses only the commands that its user has', async () => {
    expect(await askRedis(redis.port, 'ACL', 'LOG')).toEqual([]);
  });

  it('writes no key without a time to live', async () => {
    const keys = (await askRedis(redis.port, 'KEYS', '*{stats}*')) as string[];
    expect(keys.length).toBeGreaterThan(0);
    const ends = await Promise.all(keys.map((key) => askRedis(redis.port, 'PTTL', key)));
    expect(ends.filter((ttl) => Number(ttl) < 0)).toEqual([]);
  });

  it('rejects while Redis is down, and works again afterwards', async () => {
    const other = await RedisProcess.start();
    const store = redisStatsStores({ REDIS_URL: other.url, REDIS_TIMEOUT: '300ms' }).connect();
    await store.start();
    const report = { process: 'one', record: '{}', calls: new Map(), parts: [], wanted: [] };
    await store.write(report);
    await other.kill();
    await expect(store.write(report)).rejects.toThrow();
    await other.run();
    await eventually(() => store.write(report));
    await store.stop();
    await other.stop();
  });
});
