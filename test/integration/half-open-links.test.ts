import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { createRedisClient } from '../../services/shared/broker/redis/redis-client.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import { expectInTime } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { attemptCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

/** The default of `REDIS_TIMEOUT`. */
const REDIS_TIMEOUT_MS = 2000;

describe('processes whose link to Redis drops all packets', () => {
  let link: TcpProxy;
  let webhook: ServiceProcess;
  let otherWebhook: ServiceProcess;
  let relay: ServiceProcess;

  beforeAll(async () => {
    const url = new URL(inject('redisUrl'));
    link = await TcpProxy.start({ port: Number(url.port), host: url.hostname });
    const env = {
      REDIS_URL: `redis://127.0.0.1:${link.port}`,
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      REPAIR_INTERVAL: '1s',
      DRAIN_WINDOW: '0s',
    };
    [webhook, relay, otherWebhook] = await Promise.all([
      startService('webhook', env),
      startService('relay', env),
      startService('webhook', { ...env, REDIS_URL: inject('redisUrl') }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([webhook, relay, otherWebhook].map((service) => service?.stop('SIGKILL')));
    await link?.stop();
  });

  it('notice it, report it, and catch up when packets flow again', async () => {
    const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const links = async () => [await webhook.metric('broker_links'), await relay.metric('broker_links')];
    expect(await links()).toEqual([1, 2]);

    link.set('swallows');
    const calls = Promise.all([1, 2, 3].map(() => attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })));
    await eventually(async () => expect(await links()).toEqual([0, 0]));
    for (const answer of await calls) {
      expect(answer).toMatchObject({ status: 503, retryAfter: '1', body: { code: 'broker_unavailable' } });
      expectInTime(answer, 3000); // its own time-out is over, before the link is closed
    }
    // The link is known to be down: no wait.
    await eventually(async () =>
      expectInTime(await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' }), REDIS_TIMEOUT_MS / 4),
    );
    await eventually(() => expect(client.ofType('freshness').at(-1)).toEqual({ type: 'freshness', fresh: false }));
    const { body } = await attemptCall(otherWebhook, WEBHOOK_TOKEN, { topic: 'chat' });

    link.set('passes');
    await eventually(() => expect(client.ofType('freshness').at(-1)).toEqual({ type: 'freshness', fresh: true }));
    await eventually(() =>
      expect(client.ofType('update').at(-1)?.version).toBeGreaterThanOrEqual(body.updates[0].version),
    );
    await eventually(async () =>
      expect((await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })).status).toBe(200),
    );
    await eventually(async () => expect(await links()).toEqual([1, 2])); // each reconnects after its own delay
    client.terminate();
  });
});

describe('a link to Redis', () => {
  afterEach(() => vi.useRealTimers());

  it.each([
    ['two seconds', 100, 2000],
    ['3.5 seconds with more than a hundred relays', 101, 3500],
  ])('is pinged only after %s without a reply or a message', async (_, relays, silenceMs) => {
    await using server = await RedisProcess.start();
    const config = requireRedisConfig(new EnvReader({ REDIS_URL: server.url }));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
    const [commands, subscriber] = ['commands', 'subscriber'].map((name) =>
      createRedisClient(config, 'configured', name, () => relays),
    ) as [Redis, Redis];
    await Promise.all([commands.connect(), subscriber.connect()]);
    await subscriber.subscribe('news');
    /** Counts the pings so far, by links of their own. */
    const pings = async () =>
      Number(/cmdstat_ping:calls=(\d+)/.exec(String(await askRedis(server.port, 'INFO', 'commandstats')))?.[1] ?? 0);
    const before = await pings(); // those that waited for the server to start
    for (let i = 0; i < 3; i += 1) {
      await vi.advanceTimersByTimeAsync(silenceMs - 100);
      await Promise.all([
        commands.get('key'),
        once(subscriber, 'message'),
        askRedis(server.port, 'PUBLISH', 'news', i),
      ]);
    }
    expect(await pings()).toBe(before);
    await vi.advanceTimersByTimeAsync(silenceMs + 100);
    await Promise.all([commands.get('key'), subscriber.subscribe('news')]); // the pings were answered before
    expect(await pings()).toBe(before + 2);
    commands.disconnect();
    subscriber.disconnect();
  });
});
