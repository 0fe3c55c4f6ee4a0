import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { attemptCall } from '../support/publish-call.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

describe('a Redis that is out of memory', () => {
  let redis: RedisProcess;
  let webhook: ServiceProcess;
  let relay: ServiceProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start();
    const env = { REDIS_URL: redis.url, WEBHOOK_TOKENS: WEBHOOK_TOKEN, REPAIR_INTERVAL: '200ms', DRAIN_WINDOW: '0s' };
    [webhook, relay] = await Promise.all([startService('webhook', env), startService('relay', env)]);
  });
  afterAll(async () => {
    await Promise.all([webhook, relay].map((service) => service?.stop('SIGKILL')));
    await redis?.stop();
  });

  it('serves relays, also over new links; publishers get a 503 until there is memory', async () => {
    const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`);
    const before = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    await eventually(() => expect(client.ofType('update')).toHaveLength(1));

    await askRedis(redis.port, 'CONFIG', 'SET', 'maxmemory', '1');
    const connects = await relay.metric('broker_connects_total');
    for (const type of ['normal', 'pubsub']) await askRedis(redis.port, 'CLIENT', 'KILL', 'TYPE', type);
    await eventually(async () => {
      expect(await relay.metric('broker_connects_total')).toBe(connects + 2);
      expect(await webhook.metric('broker_links')).toBe(1);
      expect(await relay.metric('relay_fresh')).toBe(1);
    });
    const { status, body } = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    expect([status, body.code]).toEqual([503, 'broker_unavailable']);
    const register = await (await fetch(`http://127.0.0.1:${relay.port}/topics/chat`)).json();
    expect(register.version).toBe(before.body.updates[0].version);

    await askRedis(redis.port, 'CONFIG', 'SET', 'maxmemory', '0');
    await eventually(async () =>
      expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })).status).toBe(200),
    );
    await eventually(() => expect(client.ofType('update')).toHaveLength(2));
    client.terminate();
  });
});
