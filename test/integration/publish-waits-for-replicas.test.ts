import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { publishCall } from '../support/publish-call.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

describe('with PUBLISH_WAIT_REPLICAS=1', () => {
  let master: RedisProcess;
  let replica: RedisProcess;
  let webhook: ServiceProcess;
  let relay: ServiceProcess;

  beforeAll(async () => {
    master = await RedisProcess.start({ args: ['--repl-diskless-sync-delay', '0'] });
    replica = await RedisProcess.start({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    const env = {
      REDIS_URL: master.url,
      REDIS_TIMEOUT: '1999ms', // a number that has no integer share for WAIT
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      PUBLISH_WAIT_REPLICAS: '1',
      DRAIN_WINDOW: '0s',
    };
    [webhook, relay] = await Promise.all([startService('webhook', env), startService('relay', env)]);
    await eventually(
      async () => expect(await askRedis(master.port, 'INFO', 'replication')).toMatch(/state=online/),
      15_000,
    );
  });
  afterAll(async () => {
    await Promise.all([webhook, relay].map((service) => service?.stop('SIGKILL')));
    await Promise.all([master, replica].map((server) => server?.stop()));
  });

  it('an update is acknowledged once a replica has it', async () => {
    const { status, body } = await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    expect(status).toBe(200);
    const registers = (await askRedis(replica.port, 'KEYS', '*:topic:chat')) as string[];
    expect(await askRedis(replica.port, 'HGET', String(registers[0]), 'version')).toBe(String(body.updates[0].version));
  });

  it('an update is not acknowledged without a replica if Redis had forgotten the script', async () => {
    expect((await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'forgotten' })).status).toBe(200);
    replica.freeze();
    try {
      await askRedis(master.port, 'SCRIPT', 'FLUSH');
      const { status, body } = await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'forgotten' });
      expect([status, body.code]).toEqual([503, 'not_replicated']);
    } finally {
      replica.thaw();
    }
    await eventually(
      async () => expect((await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'forgotten' })).status).toBe(200),
      10_000,
    );
  });

  it('an update that no replica confirms gets a 503 in time, is delivered nevertheless, and delays no other call', async () => {
    const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=lonely`);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    replica.freeze();
    try {
      const digests = await relay.metric('relay_digests_total');
      const responses = await Promise.all(
        Array.from({ length: 50 }, () => publishCall(webhook, WEBHOOK_TOKEN, { topic: 'lonely' })),
      );
      for (const response of responses) {
        expect(response).toMatchObject({
          status: 503,
          contentType: 'application/problem+json',
          retryAfter: '1',
          body: { code: 'not_replicated' },
        });
        expect(response.tookMs).toBeLessThan(2300);
      }
      await eventually(() => expect(client.ofType('update').length).toBeGreaterThan(0));
      await eventually(async () => expect(await relay.metric('relay_digests_total')).toBeGreaterThan(digests));
      expect(await relay.metric('relay_fresh')).toBe(1);
    } finally {
      replica.thaw();
      client.terminate();
    }
    await eventually(
      async () => expect((await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'lonely' })).status).toBe(200),
      10_000,
    );
  });
});
