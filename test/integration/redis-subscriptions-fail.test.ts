import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { publishCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

describe('a relay that Redis does not let subscribe, while everything else works', () => {
  let redis: RedisProcess;
  let relay: ServiceProcess;
  let webhook: ServiceProcess;

  const setChannels = (rule: string) =>
    askRedis(redis.port, 'ACL', 'SETUSER', 'relay', 'on', '>secret', '~*', '+@all', rule);

  beforeAll(async () => {
    redis = await RedisProcess.start();
    await setChannels('allchannels');
    const env = {
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      REPAIR_INTERVAL: '300ms',
      DRAIN_WINDOW: '0s',
    };
    [relay, webhook] = await Promise.all([
      startService('relay', { ...env, REDIS_URL: redis.url.replace('://', '://relay:secret@') }),
      startService('webhook', { ...env, REDIS_URL: redis.url }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([relay, webhook].map((service) => service?.stop('SIGKILL')));
    await redis.stop();
  });

  it('becomes stale, says so to its clients, stays ready, delivers by repair, and recovers', async () => {
    const connect = (topic: string) => WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=${topic}`);
    const old = await connect('old');
    await eventually(() => expect(old.ofType('subscribed')).toHaveLength(1));
    await setChannels('resetchannels'); // ends connections that subscribe, and refuses SUBSCRIBE from then on
    const fresh = await connect('new');
    await eventually(() => expect(fresh.ofType('subscribed').at(-1)?.topics).toEqual({ new: null }));
    for (const client of [old, fresh]) {
      await eventually(() => expect(client.ofType('freshness').at(-1)).toEqual({ type: 'freshness', fresh: false }));
    }
    expect(await relay.metric('relay_fresh')).toBe(0);
    expect((await fetch(`http://127.0.0.1:${relay.adminPort}/readyz`)).status).toBe(200);
    expect(relay.log()).toContain('"cause":"subscription"');

    const { body } = await publishCall(webhook, WEBHOOK_TOKEN, { topics: ['old', 'new'] });
    const version = (topic: string) =>
      body.updates.find((update: { topic: string; version: number }) => update.topic === topic).version;
    await eventually(() => expect(old.ofType('update').at(-1)?.version).toBe(version('old')));

    await setChannels('allchannels');
    for (const client of [old, fresh]) {
      await eventually(() => expect(client.ofType('freshness').at(-1)).toEqual({ type: 'freshness', fresh: true }));
    }
    await eventually(() => expect(fresh.ofType('update').at(-1)?.version).toBe(version('new')));
    expect(await relay.metric('relay_fresh')).toBe(1);
    for (const client of [old, fresh]) client.terminate();
  });
});
