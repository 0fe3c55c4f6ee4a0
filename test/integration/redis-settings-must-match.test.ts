import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

describe('processes that share a Redis', () => {
  let redis: RedisProcess;
  const env = () => ({ REDIS_URL: redis.url, WEBHOOK_TOKENS: WEBHOOK_TOKEN, DRAIN_WINDOW: '0s' });
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.stop());

  it('fail to start with another number of partitions, and log the reason', async () => {
    const webhook = await startService('webhook', env());
    const other = startService('relay', { ...env(), PARTITIONS: '8' });
    await expect(other).rejects.toThrow(/relay ended with 1: .*\\"partitions\\":16.*\\"partitions\\":8/s);
    await webhook.stop();
  });

  it('fail to start with the other kind of pub/sub, and log the reason', async () => {
    const prefix = 'heliograph:sharded';
    await askRedis(redis.port, 'SET', `${prefix}:config`, '{"partitions":16,"pubsub":"sharded"}');
    const relay = startService('relay', { ...env(), HELIOGRAPH_PREFIX: prefix });
    await expect(relay).rejects.toThrow(/relay ended with 1: .*sharded.*plain/s);
  });

  it('exit if they find other settings when they reconnect', async () => {
    const prefix = 'heliograph:later';
    const webhook: ServiceProcess = await startService('webhook', { ...env(), HELIOGRAPH_PREFIX: prefix });
    await askRedis(redis.port, 'SET', `${prefix}:config`, '{"partitions":8,"pubsub":"plain"}');
    await askRedis(redis.port, 'CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(() => expect(webhook.log()).toContain('stopping, cannot continue'));
    expect(await webhook.ended()).toBe(1);
  });

  it('log an error and set a metric while Redis may evict keys', async () => {
    await askRedis(redis.port, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const webhook = await startService('webhook', env());
    expect(await webhook.metric('broker_eviction_risk')).toBe(1);
    expect(webhook.log()).toMatch(/"level":50,.*"policy":"allkeys-lru".*set maxmemory-policy to noeviction/);
    await askRedis(redis.port, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await askRedis(redis.port, 'CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(async () => expect(await webhook.metric('broker_eviction_risk')).toBe(0));
    await webhook.stop();
  });
});
