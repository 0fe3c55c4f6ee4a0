import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Sabotage } from '../simulator/sabotage.ts';
import { isQuiet, QUIET_TOPICS } from '../support/chaos-cluster.ts';
import { type ChaosRedis, startChaosRedis } from '../support/chaos-redis.ts';
import { eventually } from '../support/eventually.ts';
import { publishCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { startRelayProcess } from '../support/relay-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

/** For how long clients may still be told before they count as never told. */
const PATIENCE_MS = 8000;

describe('the chaos tests find clients that are not up to date', () => {
  let chaos: ChaosRedis;
  afterEach(() => chaos?.stop());

  /** Breaks something that must leave clients of this relay behind, those who listen to quiet topics. */
  async function expectBehind(relay: number, name: string, fault: () => Promise<void>): Promise<void> {
    const audience = chaos.cluster
      .clientsOf(relay)
      .filter(({ kind, topics }) => kind === 'websocket' && topics.some(isQuiet));
    const outcome = await chaos.cluster.measure(name, fault, { patienceMs: PATIENCE_MS });
    expect(outcome.behind).toBeGreaterThan(50);
    expect(chaos.cluster.behind()).toEqual(expect.arrayContaining(audience));
  }

  it('where relays do not repair, and signals are lost', async () => {
    chaos = await startChaosRedis({ sabotage: 'repair' });
    await expectBehind(2, 'no signals to one relay, and no repair', async () => {
      chaos.link.set('drops signals');
      await chaos.cluster.publish(QUIET_TOPICS);
      await eventually(() => expect(chaos.link.dropped).toBeGreaterThan(QUIET_TOPICS.length));
      chaos.link.set('passes');
    });
  }, 60_000);

  it('where relays know no floor, and Redis comes back empty', async () => {
    chaos = await startChaosRedis({ sabotage: 'floor' });
    await expectBehind(2, 'Redis restarted empty, and no floor', async () => {
      await chaos.killUnheard();
      await chaos.redis.run();
      chaos.link.set('passes');
    });
  }, 60_000);

  it('where relays ignore what clients say they have, and a relay is killed', async () => {
    chaos = await startChaosRedis({ sabotage: 'resume' });
    await expectBehind(1, 'a relay killed, and no resume', () =>
      chaos.cluster.killRelay(1, () => chaos.cluster.publish(QUIET_TOPICS)),
    );
  }, 60_000);
});

describe('a client that reads again after a pause', () => {
  const prefix = randomPrefix();
  const env = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: prefix, WEBHOOK_TOKENS: WEBHOOK_TOKEN };
  let webhook: ServiceProcess;
  beforeAll(async () => {
    webhook = await startService('webhook', env);
    return () => void webhook.stop('SIGKILL');
  });

  for (const [sabotage, what] of [
    [undefined, 'is told what it missed'],
    ['catch-up', 'is never told what it missed where relays do not let clients catch up'],
  ] as const satisfies [Sabotage | undefined, string][]) {
    it(what, async () => {
      const relay = await startRelayProcess(env, sabotage);
      const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=large&topic=missed&topic=later`);
      await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
      const told = (topic: string) => client.ofType('update').filter((update) => update.topic === topic).length;
      client.pause();
      // More than all buffers between two processes of one machine hold.
      await eventually(async () => {
        await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'large', data: 'x'.repeat(60_000) });
        expect(await relay.metric('relay_sessions_behind')).toBe(1);
      }, 15_000);
      await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'missed' });
      client.resume();
      await eventually(async () => {
        await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'later' });
        expect(told('later')).toBeGreaterThan(0);
      });
      expect(told('missed')).toBe(sabotage ? 0 : 1);
      client.terminate();
      await relay.stop('SIGKILL');
    });
  }
});
