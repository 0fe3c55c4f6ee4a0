import { setTimeout as pass } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { preciseNowMs } from '../../services/loadtest/timing/precise-now.ts';
import { isQuiet, QUIET_TOPICS } from '../support/chaos-cluster.ts';
import { type ChaosRedis, startChaosRedis } from '../support/chaos-redis.ts';
import { eventually } from '../support/eventually.ts';
import { askRedis } from '../support/redis-admin.ts';

describe('no acknowledged update is lost to a client', () => {
  let chaos: ChaosRedis;
  beforeAll(async () => {
    chaos = await startChaosRedis();
  });
  afterEach(() => chaos.link.set('passes'));
  afterAll(() => chaos?.stop());

  it('when Redis kills the pub/sub connections every second', async () => {
    const outcome = await chaos.cluster.measure('pub/sub connections killed every second, 5 times', async () => {
      for (let n = 0; n < 5; n += 1) {
        if (n > 0) await pass(1000);
        await eventually(async () => {
          const subscribed = String(await askRedis(chaos.redis.port, 'CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n');
          expect(subscribed.filter(Boolean)).toHaveLength(chaos.cluster.relays.length);
        });
        await askRedis(chaos.redis.port, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
      }
    });
    expect(outcome.behind).toBe(0);
    expect(outcome.refused).toBe(0);
    for (const relay of chaos.cluster.relays) expect(await relay.metric('relay_floor_raises_total')).toBe(0);
  });

  it('when a relay receives no signals: repair delivers the updates and replaces the subscription', async () => {
    const relay = chaos.cluster.relays[2];
    const { ledger } = chaos.cluster.steady;
    const subscribers = chaos.cluster.clientsOf(2).filter(({ topics }) => topics.some(isQuiet));
    const outcome = await chaos.cluster.measure('no signals to one relay', async () => {
      chaos.link.set('drops signals');
      await chaos.cluster.publish(QUIET_TOPICS);
      const ackedAtMs = preciseNowMs();
      const behind = () => subscribers.flatMap((client) => client.behind(ledger)).filter(isQuiet);
      expect(behind()).not.toEqual([]);
      await eventually(() => expect(behind()).toEqual([]));
      console.info(`without signals, updates arrived within ${Math.round(preciseNowMs() - ackedAtMs)} ms`);
      await eventually(async () =>
        expect(await relay?.metric('relay_subscriptions_replaced_total')).toBeGreaterThan(0),
      );
    });
    expect(outcome.behind).toBe(0);
    expect(chaos.link.dropped).toBeGreaterThan(0);
    expect(await relay?.metric('relay_updates_repaired_total')).toBeGreaterThan(0);
  });

  it('when a relay may not subscribe: it becomes stale, repair delivers the updates, and it recovers', async () => {
    const clients = chaos.cluster.clientsOf(2).filter(({ kind }) => kind === 'websocket');
    const outcome = await chaos.cluster.measure('one relay may not subscribe', async () => {
      await chaos.allowChannels(false);
      await eventually(() => expect(clients.every(({ isFresh }) => !isFresh)).toBe(true));
      await chaos.cluster.publish(QUIET_TOPICS);
      await chaos.allowChannels(true);
    });
    expect(outcome.behind).toBe(0);
    expect(outcome.refused).toBe(0);
  });

  it('when a relay stands still for longer than it may be fresh, and resumes', async () => {
    const relay = chaos.cluster.relays[2];
    const outcome = await chaos.cluster.measure('a relay stopped for 10 s and resumed', async () => {
      relay?.kill('SIGSTOP');
      await chaos.cluster.publish(QUIET_TOPICS);
      await pass(10_000);
      relay?.kill('SIGCONT');
    });
    expect(outcome.behind).toBe(0);
    expect(outcome.refused).toBe(0);
  });

  it('when a relay is killed, and its clients reconnect to others', async () => {
    const orphans = chaos.cluster.clientsOf(1);
    const outcome = await chaos.cluster.measure('a relay killed', async () => {
      await chaos.cluster.killRelay(1, () => chaos.cluster.publish(QUIET_TOPICS));
    });
    expect(outcome.behind).toBe(0);
    expect(orphans.length).toBeGreaterThan(50);
    expect(orphans.every(({ disconnects }) => disconnects > 0)).toBe(true);
    expect(chaos.cluster.clientsOf(1)).toEqual([]);
  });
});
