import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { publishCall, waitingCall } from '../support/publish-call.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WEBHOOK_TOKEN } from '../support/tokens.ts';
import { WsClient } from '../support/ws-client.ts';

const PREFIX = 'cost';

/** A call to Redis: its name and first key, and the commands that its script ran. */
interface Call {
  readonly name: string;
  readonly key: string;
  readonly args: readonly string[];
  readonly inside: string[];
}

describe('receipts', () => {
  let redis: RedisProcess;
  let monitor: Redis;
  let services: ServiceProcess[] = [];
  let client: WsClient;
  const calls: Call[] = [];

  beforeAll(async () => {
    redis = await RedisProcess.start();
    const env = { REDIS_URL: redis.url, HELIOGRAPH_PREFIX: PREFIX, WEBHOOK_TOKENS: WEBHOOK_TOKEN, DRAIN_WINDOW: '0s' };
    services = await Promise.all([
      startService('webhook', env),
      startService('relay', env),
      startService('relay', env),
    ]);
    client = await WsClient.open(`ws://127.0.0.1:${services[1]?.port}/ws?topic=chat`);
    await eventually(() => expect(client.ofType('subscribed')).toHaveLength(1));
    // Again if a call of a service arrived together with the reply: ioredis takes it for a second one.
    monitor = await eventually(() => new Redis(redis.url, { retryStrategy: () => null }).monitor());
    monitor.on('monitor', (_time, args: string[], source: string) => {
      const [name = '', ...rest] = args.map(String);
      if (source === 'lua') calls.at(-1)?.inside.push(name.toLowerCase());
      else {
        const key = rest.find((arg) => arg.startsWith(PREFIX)) ?? '';
        calls.push({ name: name.toLowerCase(), key, args: rest, inside: [] });
      }
    });
  });
  afterAll(async () => {
    client?.terminate();
    monitor?.disconnect();
    await Promise.all(services.map((service) => service.stop('SIGKILL')));
    await redis?.stop();
  });

  /** Returns the calls to Redis during `work`, without the periodic ones: digests, loads of relays, settings. */
  async function callsBy(work: () => Promise<void>): Promise<Call[]> {
    calls.length = 0;
    const at = (topic: string) => calls.findIndex(({ args }) => args.some((arg) => arg.endsWith(`:${topic}`)));
    const mark = async (topic: string) => {
      await publishCall(services[0] as ServiceProcess, WEBHOOK_TOKEN, { topic });
      await eventually(() => expect(at(topic)).toBeGreaterThanOrEqual(0));
    };
    await mark('the/beginning');
    await work();
    await mark('the/end');
    const isRegular = ({ name, key, inside }: Call) =>
      name === 'ping' ||
      [`${PREFIX}:relays`, `${PREFIX}:config`].includes(key) ||
      (name === 'evalsha' && inside.includes('zrangebyscore'));
    return calls.slice(at('the/beginning') + 1, at('the/end')).filter((call) => !isRegular(call));
  }

  it('cost nothing for an update without a query: it is one call, before and after others were queried', async () => {
    const [webhook] = services as [ServiceProcess];
    const publish = async () => {
      for (let n = 0; n < 20; n += 1) await publishCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' });
    };
    await publish(); // loads the script
    // A relay on a busy machine may subscribe again meanwhile, but not each time.
    const callsByUpdates = () =>
      eventually(async () => {
        const calls = await callsBy(publish);
        expect(calls.map(({ name }) => name)).toEqual(Array(20).fill('evalsha'));
        return calls;
      });
    const before = await callsByUpdates();
    const queried = await callsBy(async () => {
      expect((await waitingCall(webhook, WEBHOOK_TOKEN, { topic: 'chat' })).status).toBe(200);
    });
    const after = await callsByUpdates();

    // The server's identity is read once a second, the TTL of a register is renewed once in a while.
    const rare = ['time', 'info', 'hmget', 'pexpire'];
    const written = ({ inside }: Call) => inside.filter((name) => !rare.includes(name)).join(' ');
    for (const calls of [before, after])
      expect(new Set(calls.map(written))).toEqual(new Set(['hset zadd publish hset']));
    const all = queried.reduce((sum, { inside }) => sum + 1 + inside.length, 0);
    console.info(
      `with two relays, an update with a wait costs Redis ${queried.length} calls and ${all} commands in all ` +
        `(${queried.map(({ name, inside }) => (inside.length > 0 ? `${name}: ${inside.length}` : name)).join(', ')}); ` +
        `one without costs 1 and ${1 + (before[0]?.inside.length ?? 0)}`,
    );
    expect(queried.length).toBeGreaterThan(5);
    expect(queried.length).toBeLessThan(20);
  });
});
