import { exchangeIntervalMs } from '../../../services/shared/broker/retention.ts';
import { askRedis } from '../../support/redis-admin.ts';
import { redisBrokers } from '../../support/redis-brokers.ts';
import type { BenchContext } from '../bench.ts';
import { OTHER_BUILD } from '../compare-builds.ts';
import type { MeasuredProcess } from '../servers/measured-process.ts';
import { type RelayCluster, startRelayCluster, THIS_BUILD } from '../servers/relay-cluster.ts';
import { collect, type Samples, showSummary, summarize } from '../statistics.ts';
import { pause, rotate } from '../test-bed.ts';
import { IdleRelays } from './idle-relays.ts';
import { mainThreadCpuUs } from './main-thread.ts';
import type { MeasurePart, Row } from './part.ts';

const PARTITIONS = '16';

/** Relay processes, and updates of different topics that none of their clients subscribes to. */
const RELAYS = 3;
const UPDATES = 6000;
const AT_ONCE = 100;
/** A window with exchanges, and the one before it without. */
const EXCHANGING_MS = 2000;
/** Exchanges at once, as those of relays whose timers coincide. */
const EXCHANGING = 5;

/** Measures what idle relays cost Redis, with their probes, exchanges and pings, by the size of the cluster. */
async function measureIdle(context: BenchContext, name: string, build: string, samples: Samples): Promise<void> {
  const { redis, quick, progress } = context;
  const relays = await IdleRelays.of(build, [redis], { REDIS_URL: redis.url });
  try {
    for (const size of quick ? [10, 100] : [10, 100, 1000]) {
      progress(`${name}: ${size} idle relays`);
      await relays.grow(size);
      for (let round = 0; round < (quick ? 1 : 3); round += 1) {
        const [us = Number.NaN] = await relays.measure();
        collect(samples, `${name} of ${size}, idle`, us);
      }
    }
  } finally {
    await relays.stop();
  }
}

/** Measures what an update costs relays none of whose clients is subscribed to it, against one in a cluster without relays. */
async function measureUnheard(context: BenchContext, name: string, build: string, samples: Samples): Promise<void> {
  const { redis, quick, progress } = context;
  progress(`${name}: updates that no client hears`);
  const clusters = await Promise.all(
    [0, 1].map(() => startRelayCluster({ redisUrl: redis.url, build, env: { PARTITIONS } })),
  );
  const [cluster, deserted] = clusters as [RelayCluster, RelayCluster];
  const processes: MeasuredProcess[] = [];
  const cost = async () => ({
    redisUs: mainThreadCpuUs(redis.pid),
    relayUs: processes.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
    bytes: Number(/total_net_output_bytes:(\d+)/.exec(String(await askRedis(redis.url, 'INFO', 'stats')))?.[1]),
  });
  const updates = quick ? UPDATES / 5 : UPDATES;
  /** Publishes in a cluster, and returns what that has cost each update. */
  const publish = async (into: RelayCluster) => {
    const before = await cost();
    for (let i = 0; i < updates; i += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, j) => into.publish(`unheard/${i + j}`, j)));
    const after = await cost();
    const each = (key: keyof typeof before) => (after[key] - before[key]) / updates;
    return { redisUs: each('redisUs'), relayUs: each('relayUs'), bytes: each('bytes') };
  };
  try {
    for (let i = 0; i < RELAYS; i += 1) processes.push((await cluster.addRelay()).process);
    for (const each of clusters) await publish(each); // warms up
    for (let round = 0; round < (quick ? 2 : 6); round += 1) {
      const costs = new Map<RelayCluster, Awaited<ReturnType<typeof publish>>>();
      for (const each of rotate(clusters, round)) costs.set(each, await publish(each));
      const [unheard, without] = [costs.get(cluster), costs.get(deserted)];
      if (!unheard || !without) continue;
      collect(samples, `${name}, unheard update, Redis`, (unheard.redisUs - without.redisUs) / RELAYS);
      collect(samples, `${name}, unheard update, relay`, (unheard.relayUs - without.relayUs) / RELAYS);
      collect(samples, `${name}, unheard update, bytes`, (unheard.bytes - without.bytes) / RELAYS);
      collect(samples, `${name}, update without relays`, without.redisUs);
    }
  } finally {
    await Promise.all(clusters.map((each) => each.stop()));
  }
}

/** Measures one exchange of the relay registry, by the number of relays. */
async function measureExchanges({ redis, quick, progress }: BenchContext, samples: Samples): Promise<void> {
  for (const size of [10, 100, 1000]) {
    progress(`exchanges of ${size} relays`);
    const broker = redisBrokers({ REDIS_URL: redis.url, PARTITIONS: '1' }).connect();
    await broker.start();
    const exchange = (i: number) => broker.exchangeLoad(`relay-${i % size}`, { connections: 1000 + (i % 97) });
    for (let i = 0; i < size; i += 1) await exchange(i);
    // At about the rate of this cluster, so that the summary is made as often as in reality.
    const perSecond = Math.max((size * 1000) / exchangeIntervalMs(size), 50);
    let made = 0;
    for (let round = 0; round < (quick ? 1 : 5); round += 1) {
      const idleFromUs = mainThreadCpuUs(redis.pid);
      await pause(EXCHANGING_MS);
      const startedMs = performance.now();
      const busyFromUs = mainThreadCpuUs(redis.pid);
      const madeBefore = made;
      while (performance.now() - startedMs < EXCHANGING_MS) {
        const dueMs = startedMs + ((made - madeBefore) * 1000) / perSecond;
        if (dueMs > performance.now()) await pause(dueMs - performance.now());
        await Promise.all(Array.from({ length: EXCHANGING }, (_, i) => exchange(made + i)));
        made += EXCHANGING;
      }
      const idleUs = ((busyFromUs - idleFromUs) * (performance.now() - startedMs)) / EXCHANGING_MS;
      const us = (mainThreadCpuUs(redis.pid) - busyFromUs - idleUs) / (made - madeBefore);
      collect(samples, `exchange, ${size} relays`, us);
    }
    await broker.stop();
  }
}

/** Measures what relays cost Redis, and what updates cost them that none of their clients subscribes to. */
export const measureRelayCost: MeasurePart = async (context, samples) => {
  const builds: [name: string, folder: string][] = [['relay', THIS_BUILD]];
  if (context.against !== undefined) builds.push([`relay${OTHER_BUILD}`, context.against]);
  for (const [name, build] of builds) {
    await measureUnheard(context, name, build, samples);
    await measureIdle(context, name, build, samples);
  }
  await measureExchanges(context, samples);
  const rows: Row[] = [];
  const row = (key: string, digits: number, unit: string, relative = '') => {
    if (samples[key]) rows.push([key, `${showSummary(samples[key], digits)} ${unit}`, relative]);
  };
  const percentOfCore = (key: string, relays: number) =>
    `a core: ${((summarize(samples[key]).median * relays) / 1e4).toFixed(1)} % in all`;
  for (const [name] of builds) {
    row(`${name}, update without relays`, 1, 'µs of Redis', 'the next three add to this, for each relay');
    row(`${name}, unheard update, Redis`, 2, 'µs of Redis');
    row(`${name}, unheard update, relay`, 2, 'µs of the relay');
    row(`${name}, unheard update, bytes`, 1, 'bytes from Redis to the relay');
    for (const size of [10, 100, 1000]) {
      const key = `${name} of ${size}, idle`;
      row(key, 0, 'µs of Redis a second', percentOfCore(key, size));
    }
  }
  for (const size of [10, 100, 1000]) row(`exchange, ${size} relays`, 1, 'µs of Redis');
  const thousand = samples['relay of 1000, idle'];
  return {
    rows,
    goals: thousand
      ? [
          {
            description: 'CPU of Redis for 1,000 idle relays, in cores',
            atMost: 0.05,
            measured: summarize(thousand).median / 1000,
          },
        ]
      : [],
  };
};
