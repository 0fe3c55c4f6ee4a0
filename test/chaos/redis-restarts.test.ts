import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { preciseNowMs } from '../../services/loadtest/timing/precise-now.ts';
import { QUIET_TOPICS } from '../support/chaos-cluster.ts';
import { type ChaosRedis, startChaosRedis } from '../support/chaos-redis.ts';
import { expectInTime } from '../support/elapsed.ts';
import { eventually } from '../support/eventually.ts';
import { askRedis } from '../support/redis-admin.ts';

/** The default of `REDIS_TIMEOUT`. */
const REDIS_TIMEOUT_MS = 2000;
/** Writes every change to disk before it is acknowledged. */
const AOF = ['--appendonly', 'yes', '--appendfsync', 'always'];

describe('no acknowledged update is lost to a client', () => {
  let chaos: ChaosRedis;
  beforeAll(async () => {
    chaos = await startChaosRedis();
  });
  afterEach(() => chaos.link.set('passes'));
  afterAll(() => chaos?.stop());

  it('when Redis is killed and restarted with its data', async () => {
    for (const [name, value] of [AOF.slice(2), AOF.slice(0, 2)]) {
      await askRedis(chaos.redis.port, 'CONFIG', 'SET', String(name).slice(2), String(value));
    }
    await eventually(async () => {
      const info = await askRedis(chaos.redis.port, 'INFO', 'persistence');
      for (const line of ['aof_enabled:1', 'aof_rewrite_in_progress:0', 'aof_rewrite_scheduled:0'])
        expect(info).toContain(line);
    });
    const outcome = await chaos.cluster.measure(
      'Redis killed, restarted with its data',
      async () => {
        await chaos.killWithUnsignalledUpdates();
        await chaos.redis.run(AOF);
        chaos.link.set('passes');
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  });

  it('when Redis is restarted from an older snapshot', async () => {
    await askRedis(chaos.redis.port, 'CONFIG', 'SET', 'appendonly', 'no');
    await askRedis(chaos.redis.port, 'SAVE');
    await chaos.cluster.publish(QUIET_TOPICS);
    const outcome = await chaos.cluster.measure(
      'Redis restarted from an older snapshot',
      async () => {
        await chaos.killWithUnsignalledUpdates();
        await chaos.redis.run(['--appendonly', 'no']);
        chaos.link.set('passes');
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  });

  it('when Redis is restarted empty', async () => {
    const outcome = await chaos.cluster.measure(
      'Redis restarted empty',
      async () => {
        await chaos.killWithUnsignalledUpdates();
        await chaos.redis.runEmpty();
        chaos.link.set('passes');
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  });

  it('when Redis is frozen for 10 s, which is detected within 5 s on every connection', async () => {
    const services = [...chaos.cluster.relays, ...chaos.cluster.webhooks];
    const links = async () => {
      const counts = await Promise.all(services.map((service) => service.metric('broker_links')));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    expect(await links()).toBe(2 * chaos.cluster.relays.length + chaos.cluster.webhooks.length);
    const outcome = await chaos.cluster.measure('Redis frozen for 10 s', async () => {
      const frozenAtMs = preciseNowMs();
      chaos.redis.freeze();
      await eventually(async () => expect(await links()).toBe(0));
      console.info(
        `a frozen Redis was detected on every connection within ${Math.round(preciseNowMs() - frozenAtMs)} ms`,
      );
      const fresh = () => chaos.cluster.clients.filter(({ kind, isFresh }) => kind === 'websocket' && isFresh).length;
      await eventually(() => expect(fresh()).toBe(0), frozenAtMs + 9800 - preciseNowMs());
      await pass(frozenAtMs + 10_000 - preciseNowMs());
      chaos.redis.thaw();
      const refused = chaos.cluster.steady.refusals.filter(({ atMs }) => atMs >= frozenAtMs);
      expect(refused.length).toBeGreaterThan(10);
      for (const refusal of refused) {
        expect(refusal).toMatchObject({ status: 503, contentType: 'application/problem+json', retryAfter: '1' });
        expectInTime(refusal, 2 * REDIS_TIMEOUT_MS); // one timeout, not two
      }
    });
    expect(outcome.behind).toBe(0);
    expect(chaos.cluster.clients.every(({ isFresh }) => isFresh)).toBe(true);
  });
});
