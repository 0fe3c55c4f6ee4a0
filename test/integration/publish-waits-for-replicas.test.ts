import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectInTime } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { attemptCall } from '../support/publish-call.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type SentinelFixture, startSentinels } from '../support/sentinel-fixture.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

/** A number that has no integer share for WAIT. */
const REDIS_TIMEOUT_MS = 1999;

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
      REDIS_TIMEOUT: `${REDIS_TIMEOUT_MS}ms`,
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      PUBLISH_WAIT_REPLICAS: '1',
      DRAIN_WINDOW: '0s',
    };
    [webhook, relay] = await Promise.all([startService('webhook', env), startService('relay', env)]);
    await eventually(async () => expect(await askRedis(master.port, 'INFO', 'replication')).toMatch(/state=online/));
  });
  afterAll(async () => {
    await Promise.all([webhook, relay].map((service) => service?.stop('SIGKILL')));
    await Promise.all([master, replica].map((server) => server?.stop()));
  });

  it('an update is acknowledged once a replica has it', async () => {
    const { status, body } = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    expect(status).toBe(200);
    const registers = (await askRedis(replica.port, 'KEYS', '*:topic:chat')) as string[];
    expect(await askRedis(replica.port, 'HGET', String(registers[0]), 'version')).toBe(String(body.updates[0].version));
  });

  it('an update is not acknowledged without a replica if Redis had forgotten the script', async () => {
    expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'forgotten' })).status).toBe(200);
    replica.freeze();
    try {
      await askRedis(master.port, 'SCRIPT', 'FLUSH');
      const { status, body } = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'forgotten' });
      expect([status, body.code]).toEqual([503, 'not_replicated']);
    } finally {
      replica.thaw();
    }
    await eventually(async () =>
      expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'forgotten' })).status).toBe(200),
    );
  });

  it('an update that no replica confirms gets a 503 in time, is delivered nevertheless, and delays no other call', async () => {
    const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=lonely`);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    replica.freeze();
    try {
      const digests = await relay.metric('relay_digests_total');
      // Again if a busy machine delayed a reply of Redis until the deadline of the call.
      await eventually(async () => {
        const responses = await Promise.all(
          Array.from({ length: 50 }, () => attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'lonely' })),
        );
        for (const response of responses) {
          expect(response).toMatchObject({
            status: 503,
            contentType: 'application/problem+json',
            retryAfter: '1',
            body: { code: 'not_replicated' },
          });
          expectInTime(response, 2 * REDIS_TIMEOUT_MS); // one timeout, not two
        }
      });
      await eventually(() => expect(client.ofType('update').length).toBeGreaterThan(0));
      await eventually(async () => expect(await relay.metric('relay_digests_total')).toBeGreaterThan(digests));
      expect(await relay.metric('relay_fresh')).toBe(1);
    } finally {
      replica.thaw();
      client.terminate();
    }
    await eventually(async () =>
      expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'lonely' })).status).toBe(200),
    );
  });
});

describe('with PUBLISH_WAIT_REPLICAS=2, after a failover that leaves one replica', () => {
  const PARTITIONS = 4;
  let sentinel: SentinelFixture;
  let webhook: ServiceProcess;
  let relay: ServiceProcess;

  beforeAll(async () => {
    sentinel = await startSentinels();
    const env = { ...sentinel.env, WEBHOOK_TOKENS: WEBHOOK_TOKEN, PARTITIONS: String(PARTITIONS), DRAIN_WINDOW: '0s' };
    const waiting = { ...env, PUBLISH_WAIT_REPLICAS: '2' };
    [webhook, relay] = await Promise.all([startService('webhook', waiting), startService('relay', env)]);
  });
  afterAll(async () => {
    await Promise.all([webhook, relay].map((service) => service?.stop('SIGKILL')));
    await sentinel?.stop();
  });

  it('all calls together raise the floor of each partition once for what was acknowledged before, and refused ones never', async () => {
    const topics = Array.from({ length: 20 }, (_, n) => `topic-${n}`);
    const publish = (topic: string) => attemptCall(webhook, WEBHOOK_TOKEN, { topic });
    const raised = () => relay.metric('relay_floor_raises_total');
    /** Resolves once the relay has read every partition again, with the floors that were raised before. */
    const readAgain = async () => {
      const digests = await relay.metric('relay_digests_total');
      await eventually(async () => {
        expect(await relay.metric('relay_digests_total')).toBeGreaterThan(digests + PARTITIONS);
      });
    };
    const codes = (responses: readonly Awaited<ReturnType<typeof publish>>[]) => [
      ...new Set(responses.map(({ status, body }) => `${status} ${body.code ?? ''}`)),
    ];
    await eventually(async () => expect(codes(await Promise.all(topics.map(publish)))).toEqual(['200 ']));
    const before = await raised();
    await (await sentinel.master()).kill();
    // In each round, all calls are in progress at the same time: also when the new master takes over.
    await eventually(
      async () => expect(codes(await Promise.all(topics.map(publish)))).toEqual(['503 not_replicated']),
      60_000,
    );
    await eventually(async () => expect(await relay.metric('relay_fresh')).toBe(1));
    await readAgain();
    const covered = await raised();
    expect(covered - before).toBeGreaterThanOrEqual(PARTITIONS);
    // The first script on the new master raises it too, also if a relay runs it.
    expect(covered - before).toBeLessThanOrEqual(2 * PARTITIONS);
    for (let n = 0; n < 3; n += 1) {
      // A connection to the new master may still time out.
      await eventually(async () =>
        expect(codes(await Promise.all(topics.map(publish)))).toEqual(['503 not_replicated']),
      );
    }
    await readAgain();
    expect(await raised()).toBe(covered);
  });
});
