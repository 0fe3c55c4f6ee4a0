import { askRedis } from '../../support/redis-admin.ts';
import { startRedisCluster } from '../../support/redis-cluster-fixture.ts';
import { Clients } from '../clients/clients.ts';
import { planManyTopics } from '../clients/messages.ts';
import { startRelayCluster } from '../servers/relay-cluster.ts';
import { collect, type Samples, showSummary } from '../statistics.ts';
import { pause } from '../test-bed.ts';
import { mainThreadCpuUs } from './main-thread.ts';
import type { MeasurePart, Row } from './part.ts';

const SUBSCRIPTIONS = [0, 100, 1000, 10_000];
const RAISED_SUBSCRIPTIONS = 100_000;
/** Long enough for several rounds of probes, and for an audit of each partition to be due in about half of the windows. */
const WINDOW_MS = 15_000;

/** The servers whose CPU is measured, and how relays reach them. */
interface Servers {
  readonly name: string;
  readonly redisUrl: string;
  readonly env: Readonly<Record<string, string>>;
  readonly pids: readonly number[];
}

/** Measures what a relay costs by the number of its subscriptions: while nothing is published, and when the floor is raised. */
async function measureSubscriptions(
  { name, redisUrl, env, pids }: Servers,
  { quick, progress }: Pick<Parameters<MeasurePart>[0], 'quick' | 'progress'>,
  samples: Samples,
): Promise<void> {
  const cluster = await startRelayCluster({ redisUrl, env });
  const clients = new Clients();
  const redisUs = () => pids.reduce((sum, pid) => sum + mainThreadCpuUs(pid), 0);
  const windowMs = quick ? WINDOW_MS / 3 : WINDOW_MS;
  /** Returns the CPU of Redis in a window, in microseconds per second. */
  const idleRedisUs = async () => {
    const before = redisUs();
    await pause(windowMs);
    return ((redisUs() - before) / windowMs) * 1000;
  };
  try {
    const without = await idleRedisUs();
    const relay = await cluster.addRelay();
    const subscribe = (topics: number) => clients.connect(planManyTopics({ port: relay.port, topics }));
    for (const count of SUBSCRIPTIONS) {
      progress(`${name}: a relay with ${count} subscriptions`);
      if (count > 0) await subscribe(count);
      const before = relay.process.cpuUs;
      collect(samples, `${name}, ${count} subscriptions, Redis`, (await idleRedisUs()) - without);
      collect(samples, `${name}, ${count} subscriptions, relay`, ((relay.process.cpuUs - before) / windowMs) * 1000);
    }
    if (pids.length > 1) return;
    const raised = quick ? RAISED_SUBSCRIPTIONS / 10 : RAISED_SUBSCRIPTIONS;
    progress(`${name}: a raised floor with ${raised} subscriptions`);
    await subscribe(raised);
    const before = { redisUs: redisUs(), relayUs: relay.process.cpuUs };
    await Promise.all([clients.receive(raised), askRedis(redisUrl, 'FLUSHALL')]);
    collect(samples, `${name}, raised floor, Redis`, (redisUs() - before.redisUs) / raised);
    collect(samples, `${name}, raised floor, relay`, (relay.process.cpuUs - before.relayUs) / raised);
  } finally {
    await clients.stop();
    await cluster.stop();
  }
}

/** Measures what a relay costs by the number of its subscriptions, with one Redis and with two masters of Redis Cluster. */
export const measureSubscriptionCost: MeasurePart = async (context, samples) => {
  const { redis, quick } = context;
  const single = { name: 'one Redis', redisUrl: redis.url, env: {}, pids: [redis.pid] };
  await measureSubscriptions(single, context, samples);
  const cluster = await startRedisCluster({ masters: 2, replicas: false });
  try {
    const pids = cluster.nodes.map(({ pid }) => pid);
    // The user of this cluster may use keys of this prefix only.
    const env = { ...cluster.env, HELIOGRAPH_PREFIX: 'heliograph' };
    await measureSubscriptions({ name: 'two masters', redisUrl: '', env, pids }, context, samples);
  } finally {
    await cluster.stop();
  }
  const idle = ['one Redis', 'two masters'].flatMap((name) =>
    SUBSCRIPTIONS.map((count): Row => {
      const cost = (whose: string) => showSummary(samples[`${name}, ${count} subscriptions, ${whose}`], 0);
      return [
        `an idle relay with ${count} subscriptions, ${name}`,
        `${cost('Redis')} µs of Redis a second`,
        `the relay itself: ${cost('relay')} µs a second`,
      ];
    }),
  );
  const raise = (whose: string) => showSummary(samples[`one Redis, raised floor, ${whose}`], 1);
  const raised = quick ? RAISED_SUBSCRIPTIONS / 10 : RAISED_SUBSCRIPTIONS;
  return {
    rows: [
      ...idle,
      [
        `a raised floor with ${raised} topics, each`,
        `${raise('Redis')} µs of Redis`,
        `the relay: ${raise('relay')} µs`,
      ],
    ],
  };
};
