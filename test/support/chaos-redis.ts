import { expect } from 'vitest';
import type { Sabotage } from '../simulator/sabotage.ts';
import { ChaosCluster, isQuiet, QUIET_TOPICS } from './chaos-cluster.ts';
import { eventually } from './eventually.ts';
import { askRedis } from './redis-admin.ts';
import { RedisProcess } from './redis-process.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** A cluster on one Redis, which the third relay reaches through a proxy that can fail, as a user of its own. */
export interface ChaosRedis {
  readonly redis: RedisProcess;
  readonly link: TcpProxy;
  readonly cluster: ChaosCluster;
  /** Kills Redis right after it acknowledged updates whose signals the third relay did not receive. */
  killWithUnsignalledUpdates(): Promise<void>;
  /** Lets the third relay subscribe to channels, or not: then its subscriptions end, and everything else works. */
  allowChannels(isAllowed: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the cluster, with a mechanism disabled in all relays if requested. */
export async function startChaosRedis(options: { sabotage?: Sabotage } = {}): Promise<ChaosRedis> {
  const rules = ['on', '>secret', '~*', '+@all'];
  // As an argument: a Redis that restarts has forgotten users that were added later.
  const redis = await RedisProcess.start({ args: ['--user', 'third', ...rules, 'allchannels'] });
  const link = await TcpProxy.start(redis.port);
  const allowChannels = async (isAllowed: boolean) => {
    await askRedis(redis.port, 'ACL', 'SETUSER', 'third', isAllowed ? 'allchannels' : 'resetchannels');
  };
  const stop = async () => {
    await link.stop();
    await redis.stop();
  };
  const cluster = await ChaosCluster.start({
    env: { REDIS_URL: redis.url },
    relayEnv: (relay): Record<string, string> =>
      relay === 2 ? { REDIS_URL: `redis://third:secret@127.0.0.1:${link.port}` } : {},
    ...(options.sabotage ? { sabotage: options.sabotage } : {}),
  }).catch(async (error) => {
    await stop();
    throw error;
  });
  return {
    redis,
    link,
    cluster,
    allowChannels,
    async killWithUnsignalledUpdates() {
      const { ledger, refusals } = cluster.steady;
      const subscribers = cluster.clientsOf(2).filter(({ topics }) => topics.some(isQuiet));
      const behind = () => subscribers.filter((client) => client.behind(ledger).some(isQuiet)).length;
      await eventually(() => expect(behind()).toBe(0));
      link.set('swallows');
      expect(subscribers.length).toBeGreaterThan(50);
      // Again if notifications of a floor that was raised before were still on their way.
      await eventually(async () => {
        await cluster.publish(QUIET_TOPICS);
        expect(behind()).toBe(subscribers.length);
      });
      await redis.kill();
      link.cut();
      const refused = refusals.length;
      await eventually(() => expect(refusals.length).toBeGreaterThan(refused + 10));
    },
    async stop() {
      await cluster.stop();
      await stop();
    },
  };
}
