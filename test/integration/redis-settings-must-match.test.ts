import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESTORE_TIME_MS } from '../../services/shared/broker/redis/redis-settings.ts';
import { eventually } from '../support/eventually.ts';
import { attemptCall } from '../support/publish-call.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { startService } from '../support/service-process.ts';
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

  it.each([
    ['the key was deleted', ['DEL', 'heliograph:config']],
    ['all data were deleted', ['FLUSHALL']],
  ])('keep their settings if %s, and refuse a new process with other ones', async (_, command) => {
    await using webhook = await startService('webhook', env());
    await using relay = await startService('relay', env());
    await askRedis(redis.port, ...command);
    const other = startService('relay', { ...env(), PARTITIONS: '32' });
    await expect(other).rejects.toThrow(/relay ended with 1: .*\\"partitions\\":16.*\\"partitions\\":32/s);
    expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })).status).toBe(200);
    expect(await relay.metric('relay_fresh')).toBe(1);
  });

  it('restore lost settings before a process that has started at that moment may store others', async () => {
    const prefix = { REDIS_URL: redis.url, HELIOGRAPH_PREFIX: 'heliograph:lost' };
    const running = redisBrokers({ ...prefix, PARTITIONS: '16' }).connect();
    await running.start();
    await askRedis(redis.port, 'DEL', 'heliograph:lost:config');
    const other = redisBrokers({ ...prefix, PARTITIONS: '32' }, { restoreTimeMs: 2 * RESTORE_TIME_MS }).connect();
    await expect(other.start()).rejects.toMatchObject({ code: 'settings_differ' });
    await Promise.all([running.stop(), other.stop()]);
  });

  it.each([
    ['while they are connected', []],
    ['when they reconnect', ['CLIENT', 'KILL', 'TYPE', 'normal']],
  ])('answer 503 and are stale until settings agree again, if they find other ones %s', async (_, command) => {
    const prefix = `heliograph:later:${command.length}`;
    const set = (text: string) => askRedis(redis.port, 'SET', `${prefix}:config`, text);
    await using webhook = await startService('webhook', { ...env(), HELIOGRAPH_PREFIX: prefix });
    await using relay = await startService('relay', {
      ...env(),
      HELIOGRAPH_PREFIX: prefix,
      REPAIR_INTERVAL: '500ms',
    });
    await set('{"partitions":8,"pubsub":"plain"}');
    if (command.length > 0) await askRedis(redis.port, ...command);
    const publish = () => attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    await eventually(async () => {
      const { status, body } = await publish();
      expect({ status, code: body.code }).toEqual({ status: 503, code: 'settings_differ' });
    });
    await eventually(async () => expect(await relay.metric('relay_fresh')).toBe(0));
    await set('{"partitions":16,"pubsub":"plain"}');
    await eventually(async () => expect((await publish()).status).toBe(200));
    await eventually(async () => expect(await relay.metric('relay_fresh')).toBe(1));
    for (const process of [webhook, relay]) {
      expect(process.log().match(/the settings differ/g)).toHaveLength(1);
      expect(process.log().match(/the settings of the cluster agree again/g)).toHaveLength(1);
    }
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
