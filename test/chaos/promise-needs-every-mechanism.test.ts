import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { isQuiet, QUIET_TOPICS } from '../support/chaos-cluster.ts';
import { type ChaosRedis, startChaosRedis } from '../support/chaos-redis.ts';
import { eventually } from '../support/eventually.ts';
import { publishCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { startRelayProcess } from '../support/relay-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

/** A client that is behind for longer counts as never notified, in milliseconds. */
const TIMEOUT_MS = 8000;
/** A client that is behind after this many calls in a row remains so until it reads. */
const CALLS_BEHIND = 20;

describe('the chaos tests detect clients that are not up to date', () => {
  let chaos: ChaosRedis;
  afterEach(() => chaos?.stop());

  /** Injects a fault after which the subscribers to quiet topics at this relay must be behind. */
  async function expectBehind(relay: number, name: string, fault: () => Promise<void>): Promise<void> {
    const audience = chaos.cluster
      .clientsOf(relay)
      .filter(({ kind, topics }) => kind === 'websocket' && topics.some(isQuiet));
    const outcome = await chaos.cluster.measure(name, fault, { timeoutMs: TIMEOUT_MS });
    expect(outcome.behind).toBeGreaterThan(50);
    expect(chaos.cluster.behind()).toEqual(expect.arrayContaining(audience));
  }

  it('if relays do not repair, and signals are lost', async () => {
    chaos = await startChaosRedis({ sabotage: 'repair' });
    await expectBehind(2, 'no signals to one relay, and no repair', async () => {
      chaos.link.set('drops signals');
      await chaos.cluster.publish(QUIET_TOPICS);
      await eventually(() => expect(chaos.link.dropped).toBeGreaterThan(QUIET_TOPICS.length));
      chaos.link.set('passes');
    });
  });

  it('if relays ignore the floor, and Redis restarts empty', async () => {
    chaos = await startChaosRedis({ sabotage: 'floor' });
    await expectBehind(2, 'Redis restarted empty, and no floor', async () => {
      await chaos.killWithUnsignalledUpdates();
      await chaos.redis.runEmpty();
      chaos.link.set('passes');
    });
  });

  it('if relays ignore the versions of clients, and a relay is killed', async () => {
    chaos = await startChaosRedis({ sabotage: 'resume' });
    await expectBehind(1, 'a relay killed, and no resume', () =>
      chaos.cluster.killRelay(1, () => chaos.cluster.publish(QUIET_TOPICS)),
    );
  });
});

describe('a client that reads again after a pause', () => {
  const prefix = randomPrefix();
  const env = {
    REDIS_URL: inject('redisUrl'),
    HELIOGRAPH_PREFIX: prefix,
    WEBHOOK_TOKENS: WEBHOOK_TOKEN,
  };
  let webhook: ServiceProcess;
  beforeAll(async () => {
    webhook = await startService('webhook', env);
    return () => void webhook.stop('SIGKILL');
  });

  /** Pauses a client until it is behind, publishes, and lets it read again. Returns how often it receives that update. */
  async function receivesAfterPause(relay: ServiceProcess, { atLeast }: { atLeast: number }): Promise<number> {
    const client = await WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=large&topic=missed&topic=later`);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    const received = (topic: string) => client.ofType('update').filter((update) => update.topic === topic).length;
    client.pause();
    // More than the buffers between two processes of one machine hold.
    let behindFor = 0;
    await eventually(async () => {
      await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'large', data: 'x'.repeat(60_000) });
      behindFor = (await relay.metric('relay_sessions_behind')) === 1 ? behindFor + 1 : 0;
      expect(behindFor).toBe(CALLS_BEHIND);
    });
    expect((await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'missed' })).status).toBe(200);
    client.resume();
    await eventually(async () => {
      await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'later' });
      expect(received('later')).toBeGreaterThan(0);
    });
    // A live update may arrive before the backlog, whose topics have no order among them.
    await eventually(() => expect(received('missed')).toBeGreaterThanOrEqual(atLeast));
    client.terminate();
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(0));
    return received('missed');
  }

  it('receives what it missed', async () => {
    const relay = await startRelayProcess(env, undefined);
    expect(await receivesAfterPause(relay, { atLeast: 1 })).toBe(1);
    await relay.stop('SIGKILL');
  });

  it('never receives what it missed if relays do not let clients catch up', async () => {
    const relay = await startRelayProcess(env, 'catch-up');
    // The buffers of the system may grow at any time, so that an update is not missed: then once more.
    let received = 1;
    for (let tries = 0; received > 0 && tries < 5; tries += 1)
      received = await receivesAfterPause(relay, { atLeast: 0 });
    expect(received).toBe(0);
    await relay.stop('SIGKILL');
  });
});
