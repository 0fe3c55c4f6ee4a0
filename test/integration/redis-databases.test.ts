import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { attemptCall } from '../support/publish-call.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

let redis: RedisProcess;
beforeAll(async () => {
  redis = await RedisProcess.start();
  await askRedis(redis.port, 'ACL', 'SETUSER', 'unselecting', 'on', '>right', '~*', '&*', '+@all', '-select');
});
afterAll(() => redis?.stop());

describe('clusters in different databases of one Redis', () => {
  const clusters: { webhook: ServiceProcess; relay: ServiceProcess; client: WsClient }[] = [];
  beforeAll(async () => {
    for (const database of [0, 1]) {
      const env = {
        REDIS_URL: `${redis.url}/${database}`,
        WEBHOOK_TOKENS: WEBHOOK_TOKEN,
        REPAIR_INTERVAL: '60s', // updates arrive by their signals, or late
        DRAIN_WINDOW: '0s',
      };
      const [webhook, relay] = await Promise.all([startService('webhook', env), startService('relay', env)]);
      const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`);
      await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
      clusters.push({ webhook, relay, client });
    }
  });
  afterAll(async () => {
    for (const { webhook, relay, client } of clusters) {
      client.terminate();
      await Promise.all([webhook.stop('SIGKILL'), relay.stop('SIGKILL')]);
    }
  });

  it('notify only their own clients', async () => {
    for (const [database, { webhook }] of clusters.entries()) {
      const { status } = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat', data: { database } });
      expect(status).toBe(200);
    }
    for (const [database, { client }] of clusters.entries()) {
      await eventually(() => expect(client.ofType('update')).toMatchObject([{ data: { database } }]));
    }
  });

  it('have channels that keep the prefix, and the database after it unless it is 0', async () => {
    const channels = (await askRedis(redis.port, 'PUBSUB', 'CHANNELS', '*:update:chat')) as string[];
    expect(channels.map((channel) => channel.split('{')[0]).sort()).toEqual(['heliograph:', 'heliograph:1:']);
  });
});

describe('a webhook whose database cannot be selected', () => {
  it.each([
    ['the ACL forbids SELECT', 'unselecting:right@', 2, "permissions to run the 'select' command"],
    ['the server has no such database', '', 99, 'DB index is out of range'],
  ])('writes to no other one, replies 503 and logs the reason once: %s', async (_, login, database, reason) => {
    const url = `${redis.url.replace('://', `://${login}`)}/${database}`;
    const env = { REDIS_URL: url, HELIOGRAPH_PREFIX: 'elsewhere', WEBHOOK_TOKENS: WEBHOOK_TOKEN };
    await using webhook = await startService('webhook', env, { until: 'livez' });
    await eventually(() => expect(webhook.log()).toContain('the webhook listens'));
    expect(await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })).toMatchObject({ status: 503 });
    expect(webhook.log().split(reason)).toHaveLength(2);
    expect(await askRedis(redis.port, 'KEYS', 'elsewhere:*')).toEqual([]);
  });
});
