import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';

describe('a webhook whose Redis replies with errors', () => {
  let redis: RedisProcess;
  let webhook: ServiceProcess | undefined;
  beforeAll(async () => {
    redis = await RedisProcess.start();
    await askRedis(redis.port, 'ACL', 'SETUSER', 'webhook', 'on', '>right', '~*', '&*', '+@all', '-set');
  });
  afterAll(async () => {
    await redis.stop();
  });

  /** Returns the number of refused commands in the ACL log of Redis. */
  async function refusals(): Promise<number> {
    const entries = (await askRedis(redis.port, 'ACL', 'LOG')) as (Record<string, unknown> | unknown[])[];
    return entries
      .map((entry) => Number(Array.isArray(entry) ? entry[1 + entry.indexOf('count')] : entry.count))
      .reduce((sum, count) => sum + count, 0);
  }

  it.each([
    ['its password is wrong', 'webhook:wrong', 'WRONGPASS'],
    ['its user lacks permissions', 'webhook:right', 'NOPERM'],
  ])('starts, is not ready, replies 503 and logs the reason once: %s', async (_, credentials, reason) => {
    await askRedis(redis.port, 'ACL', 'LOG', 'RESET');
    const url = redis.url.replace('://', `://${credentials}@`);
    webhook = await startService('webhook', { REDIS_URL: url, WEBHOOK_TOKENS: WEBHOOK_TOKEN }, { until: 'livez' });
    try {
      const { port, adminPort, log } = webhook;
      await eventually(() => expect(log()).toContain('the webhook listens'));
      const response = await fetch(`http://127.0.0.1:${port}/webhook`, {
        method: 'POST',
        headers: { authorization: `Bearer ${WEBHOOK_TOKEN}`, 'content-type': 'application/json' },
        body: '{"topic":"chat"}',
      });
      expect([response.status, (await response.json()).code]).toEqual([503, 'broker_unavailable']);
      const readiness = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
      expect([readiness.status, await readiness.json()]).toMatchObject([503, { conditions: { redis: false } }]);
      await eventually(() => expect(log()).toContain(reason));
      await eventually(async () => expect(await refusals()).toBeGreaterThan(5)); // it keeps trying
      expect(log().split(reason)).toHaveLength(2);
      expect(log()).not.toContain('wrong');
      // The delay between attempts has reached half a second.
      const before = await refusals();
      const startedAtMs = performance.now();
      await eventually(async () => expect(await refusals()).toBeGreaterThan(before + 3));
      expect(performance.now() - startedAtMs).toBeGreaterThan(700);
    } finally {
      await webhook.stop();
    }
  });
});
