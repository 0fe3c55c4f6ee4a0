import { setTimeout as pass } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { waitingCall } from '../support/publish-call.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const TOPICS = ['one', 'two', 'three', 'four'];
const ROUNDS = 2;
/** How long what a relay has handed over may take to reach a client in this busy process, in milliseconds. */
const ON_THE_WAY_MS = 500;

describe('receipts', () => {
  let redis: RedisProcess;
  let webhook: ServiceProcess;
  let relays: ServiceProcess[] = [];
  let clients: WsClient[] = [];

  beforeEach(async () => {
    redis = await RedisProcess.start();
    const env = {
      REDIS_URL: redis.url,
      HELIOGRAPH_PREFIX: randomPrefix(),
      WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      DRAIN_WINDOW: '0s',
      REPAIR_INTERVAL: '500ms',
      FLOOR_SPREAD: '100ms',
      REDIS_TIMEOUT: '500ms',
    };
    [webhook, ...relays] = await Promise.all([
      startService('webhook', env),
      ...[1, 2, 3].map(() => startService('relay', env)),
    ]);
    const query = TOPICS.map((topic) => `topic=${topic}`).join('&');
    clients = await Promise.all(
      relays.flatMap(({ port }) => [1, 2, 3].map(() => WsClient.open(`ws://127.0.0.1:${port}/ws?${query}`))),
    );
    await eventually(() => expect(clients.every((client) => client.ofType('subscribed').length > 0)).toBe(true));
    await eventually(async () => {
      for (const relay of relays) expect(await relay.metric('relay_cluster_relays')).toBe(3);
    });
  });
  afterEach(async () => {
    for (const client of clients) client.terminate();
    await Promise.all([webhook, ...relays].map((service) => service?.stop('SIGKILL')));
    await redis?.stop();
  });

  const newest = (client: WsClient, topic: string): number =>
    Math.max(0, ...client.ofType('update').map((update) => (update.topic === topic ? update.version : 0)));

  /** What breaks, for a moment. */
  const faults: readonly (readonly [name: string, fault: () => Promise<void>])[] = [
    ['subscriptions end', async () => void (await askRedis(redis.url, 'CLIENT', 'KILL', 'TYPE', 'pubsub'))],
    [
      'a relay stands still',
      async () => {
        relays[0]?.kill('SIGSTOP');
        await pass(1500);
        relays[0]?.kill('SIGCONT');
      },
    ],
    [
      'Redis stands still',
      async () => {
        redis.freeze();
        await pass(800);
        redis.thaw();
      },
    ],
    [
      'Redis comes back empty',
      async () => {
        await redis.kill();
        await redis.run();
      },
    ],
    [
      'a relay stands still while Redis comes back empty',
      async () => {
        relays[1]?.kill('SIGSTOP');
        await redis.kill();
        await redis.run();
        await pass(1500);
        relays[1]?.kill('SIGCONT');
      },
    ],
  ];

  it('never say that an update is delivered where a client has not got it, whatever breaks', {
    timeout: 120_000,
  }, async () => {
    const outcomes = new Map<string, number>();
    const lies: string[] = [];
    let running = true;
    let fault = '';

    async function publish(topic: string): Promise<void> {
      while (running) {
        const { status, body } = await waitingCall(webhook, WEBHOOK_TOKEN, { topic, timeout: '2s' });
        const outcome = status === 200 ? 'delivered' : status === 202 ? 'not delivered in time' : 'refused';
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (status !== 200) continue;
        const [{ version }] = body.updates;
        const during = fault;
        const untold = () => clients.filter((client) => newest(client, topic) < version).length;
        await eventually(() => expect(untold()).toBe(0), ON_THE_WAY_MS).catch(() =>
          lies.push(
            `${untold()} clients have not got ${topic} ${version}; ${during}; ${JSON.stringify(body.receipts)}`,
          ),
        );
      }
    }

    const publishing = TOPICS.map(publish);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, breakIt] of faults) {
        fault = name;
        await breakIt();
        await pass(1000);
      }
    }
    // In the end all is well again.
    const before = outcomes.get('delivered') ?? 0;
    await eventually(() => expect(outcomes.get('delivered') ?? 0).toBeGreaterThan(before + 20), 15_000);
    running = false;
    await Promise.all(publishing);
    console.info(`calls that wait while all breaks: ${JSON.stringify(Object.fromEntries(outcomes))}`);
    expect(lies).toEqual([]);
    expect(outcomes.get('not delivered in time')).toBeGreaterThan(0);
  });
});
