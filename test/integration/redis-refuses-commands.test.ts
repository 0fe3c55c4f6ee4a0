import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { attemptCall } from '../support/publish-call.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

/** Sets a `maxmemory` that is exceeded already. */
async function fillMemory(redis: RedisProcess): Promise<void> {
  await askRedis(redis.port, 'CONFIG', 'SET', 'maxmemory', '1');
}

/** Lets saving fail: the folder is gone. */
async function breakSaving(redis: RedisProcess): Promise<void> {
  await askRedis(redis.port, 'CONFIG', 'SET', 'save', '3600 1');
  await rm(redis.dir, { recursive: true });
  await askRedis(redis.port, 'BGSAVE');
  await eventually(async () =>
    expect(await askRedis(redis.port, 'INFO', 'persistence')).toContain('rdb_last_bgsave_status:err'),
  );
}

async function requireReplica(redis: RedisProcess): Promise<void> {
  await askRedis(redis.port, 'CONFIG', 'SET', 'min-replicas-to-write', '1');
}

async function revokePermission(redis: RedisProcess): Promise<void> {
  await askRedis(redis.port, 'ACL', 'SETUSER', 'default', '-zadd');
}

describe('a Redis that refuses commands', () => {
  it.each([
    ['oom', fillMemory, 'Redis is out of memory (OOM)'],
    ['misconf', breakSaving, 'Redis cannot save its data (MISCONF)'],
    ['noreplicas', requireReplica, 'too few replicas are connected to Redis (NOREPLICAS)'],
    ['noperm', revokePermission, 'the ACL user of Redis lacks a permission (NOPERM)'],
  ])('is named to callers, in one log line, and in a metric: %s', async (reason, spoil, explanation) => {
    await using redis = await RedisProcess.start();
    const env = { REDIS_URL: redis.url, WEBHOOK_TOKENS: WEBHOOK_TOKEN };
    await using webhook = await startService('webhook', env);
    expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })).status).toBe(200);
    expect(await webhook.metric('broker_refusals_total')).toBe(0);

    await spoil(redis);
    for (let call = 0; call < 3; call += 1) {
      const { status, body } = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
      expect([status, body.code, body.detail]).toEqual([
        503,
        'broker_unavailable',
        `${explanation}; repeating the call is harmless`,
      ]);
    }
    expect(await webhook.metric(`broker_refusals_total{reason="${reason}"}`)).toBeGreaterThanOrEqual(3);
    const lines = webhook.log().split('\n');
    const logged = lines.filter((line) => line.includes(`"reason":"${reason}"`));
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain(`Redis refuses commands: ${explanation}`);
  });
});
