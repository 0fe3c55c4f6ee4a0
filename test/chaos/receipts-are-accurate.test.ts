import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
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

  /** Resolves once a client has received all that its relay sent before: a pong does not overtake messages. */
  async function receiveAllSent({ socket }: WsClient): Promise<void> {
    const name = randomUUID();
    socket.ping(name);
    while (String((await once(socket, 'pong'))[0]) !== name);
  }

  /** Temporary faults. */
  const faults: readonly (readonly [name: string, fault: () => Promise<void>])[] = [
    ['subscriptions end', async () => void (await askRedis(redis.url, 'CLIENT', 'KILL', 'TYPE', 'pubsub'))],
    [
      'a relay is stopped',
      async () => {
        relays[0]?.kill('SIGSTOP');
        await pass(1500);
        relays[0]?.kill('SIGCONT');
      },
    ],
    [
      'Redis is frozen',
      async () => {
        redis.freeze();
        await pass(800);
        redis.thaw();
      },
    ],
    [
      'Redis restarts empty',
      async () => {
        await redis.kill();
        await redis.runEmpty();
      },
    ],
    [
      'a relay is stopped while Redis restarts empty',
      async () => {
        relays[1]?.kill('SIGSTOP');
        await redis.kill();
        await redis.runEmpty();
        await pass(1500);
        relays[1]?.kill('SIGCONT');
      },
    ],
  ];

  it('never report an update as delivered that a client has not received, under any fault', async () => {
    const outcomes = new Map<string, number>();
    const violations: string[] = [];
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
        const missing = () => clients.filter((client) => newest(client, topic) < version).length;
        if (missing() === 0) continue;
        await Promise.all(clients.map(receiveAllSent));
        if (missing() > 0)
          violations.push(
            `${missing()} clients have not received ${topic} ${version}; ${during}; ${JSON.stringify(body.receipts)}`,
          );
      }
    }

    const publishing = TOPICS.map(publish);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, inject] of faults) {
        fault = name;
        await inject();
        await pass(1000);
      }
    }
    // All works again in the end.
    const before = outcomes.get('delivered') ?? 0;
    await eventually(() => expect(outcomes.get('delivered') ?? 0).toBeGreaterThan(before + 20));
    running = false;
    await Promise.all(publishing);
    console.info(`waiting calls during faults: ${JSON.stringify(Object.fromEntries(outcomes))}`);
    expect(violations).toEqual([]);
    expect(outcomes.get('not delivered in time')).toBeGreaterThan(0);
  });
});
