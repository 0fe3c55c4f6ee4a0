import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChaosCluster, QUIET_TOPICS } from '../support/chaos-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const isQuiet = (topic: string) => QUIET_TOPICS.includes(topic);
const AOF = ['--appendonly', 'yes', '--appendfsync', 'always'];

describe('no acknowledged update is lost to a client', () => {
  let redis: RedisProcess;
  let link: TcpProxy;
  let cluster: ChaosCluster;

  beforeAll(async () => {
    redis = await RedisProcess.start({ args: AOF });
    link = await TcpProxy.start(redis.port);
    const env = { REDIS_URL: redis.url };
    const relayEnv = (relay: number) => (relay === 2 ? { REDIS_URL: `redis://127.0.0.1:${link.port}` } : {});
    cluster = await ChaosCluster.start({ env, relayEnv });
  });
  afterEach(() => link.set('passes'));
  afterAll(async () => {
    await cluster?.stop();
    await link?.stop();
    await redis?.stop();
  });

  /** Kills Redis just after it acknowledged what one of the relays can never have heard of. */
  async function killUnheard(): Promise<void> {
    const { ledger, refusals } = cluster.steady;
    const listeners = cluster.clientsOf(2).filter(({ topics }) => topics.some(isQuiet));
    const behind = () => listeners.filter((client) => client.behind(ledger).some(isQuiet)).length;
    await eventually(() => expect(behind()).toBe(0));
    link.set('swallows');
    await cluster.publish(QUIET_TOPICS);
    expect(listeners.length).toBeGreaterThan(50);
    expect(behind()).toBe(listeners.length);
    await redis.kill();
    link.cut();
    const refused = refusals.length;
    await eventually(() => expect(refusals.length).toBeGreaterThan(refused + 10));
  }

  it('when Redis is killed and restarted with its data', async () => {
    const outcome = await cluster.measure(
      'Redis killed, restarted with its data',
      async () => {
        await killUnheard();
        await redis.run();
        link.set('passes');
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  }, 60_000);

  it('when Redis is restarted from an older snapshot', async () => {
    await askRedis(redis.port, 'CONFIG', 'SET', 'appendonly', 'no');
    await askRedis(redis.port, 'SAVE');
    await cluster.publish(QUIET_TOPICS);
    const outcome = await cluster.measure(
      'Redis restarted from an older snapshot',
      async () => {
        await killUnheard();
        await redis.run([]);
        link.set('passes');
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  }, 60_000);

  it('when Redis is restarted empty', async () => {
    const outcome = await cluster.measure(
      'Redis restarted empty',
      async () => {
        await killUnheard();
        await rm(join(redis.dir, 'dump.rdb'));
        await redis.run([]);
        link.set('passes');
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  }, 60_000);

  it('when Redis is frozen for 10 s, which is noticed within 5 s on every connection', async () => {
    const services = [...cluster.relays, ...cluster.webhooks];
    const links = async () => {
      const counts = await Promise.all(services.map((service) => service.metric('broker_links')));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    expect(await links()).toBe(2 * cluster.relays.length + cluster.webhooks.length);
    const outcome = await cluster.measure('Redis frozen for 10 s', async () => {
      const frozenAtMs = Date.now();
      redis.freeze();
      await eventually(async () => expect(await links()).toBe(0), 5000);
      console.info(`a frozen Redis was noticed on every connection within ${Date.now() - frozenAtMs} ms`);
      const told = () => cluster.clients.filter(({ kind, isFresh }) => kind === 'websocket' && isFresh).length;
      await eventually(() => expect(told()).toBe(0), 5000);
      await pass(frozenAtMs + 10_000 - Date.now());
      redis.thaw();
      const refused = cluster.steady.refusals.filter(({ atMs }) => atMs >= frozenAtMs);
      expect(refused.length).toBeGreaterThan(10);
      for (const refusal of refused) {
        expect(refusal).toMatchObject({ status: 503, contentType: 'application/problem+json', retryAfter: '1' });
        expect(refusal.tookMs).toBeLessThan(2300);
      }
    });
    expect(outcome.behind).toBe(0);
    expect(cluster.clients.every(({ isFresh }) => isFresh)).toBe(true);
  }, 60_000);
});
