import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { attemptCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

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

  it('notice within 5 s, report it, and catch up when packets flow again', async () => {
    const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const links = async () => [await webhook.metric('broker_links'), await relay.metric('broker_links')];
    expect(await links()).toEqual([1, 2]);

    link.set('swallows');
    const calls = Promise.all([1, 2, 3].map(() => attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })));
    await eventually(async () => expect(await links()).toEqual([0, 0]));
    for (const answer of await calls) {
      expect(answer).toMatchObject({ status: 503, retryAfter: '1', body: { code: 'broker_unavailable' } });
      expect(answer.tookMs).toBeLessThan(2300);
    }
    const { tookMs } = await attemptCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    expect(tookMs).toBeLessThan(500); // the link is known to be down: no wait
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
