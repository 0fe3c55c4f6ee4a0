import { pathToFileURL } from 'node:url';
import type { RelayRegistryView } from '../../../services/relay/cluster/relay-registry-view.ts';
import type { Hub } from '../../../services/relay/hub/hub.ts';
import { SILENT_REPORT } from '../../../services/shared/broker/broker-report.ts';
import type { RedisBroker } from '../../../services/shared/broker/redis/redis-broker.ts';
import { SYSTEM_CLOCK } from '../../../services/shared/clock.ts';
import { randomPrefix } from '../../support/random-prefix.ts';
import { redisBrokers } from '../../support/redis-brokers.ts';
import type { BenchContext } from '../bench.ts';
import type { MeasuredProcess } from '../servers/measured-process.ts';
import { startRelayCluster, THIS_BUILD } from '../servers/relay-cluster.ts';
import { collect, type Samples, showSummary, summarize } from '../statistics.ts';
import { pause } from '../test-bed.ts';
import { mainThreadCpuUs } from './main-thread.ts';
import type { MeasurePart, Row } from './part.ts';

/** The defaults of `REPAIR_INTERVAL` and `PARTITIONS`. */
const REPAIR_INTERVAL_MS = 3000;
const PARTITIONS = '16';

/** Relay processes, and updates of different topics that none of their clients subscribes to. */
const RELAYS = 3;
const UPDATES = 30_000;
/** Brokers that connect at once. */
const CONNECTING = 20;
const MAX_EXCHANGING_MS = 8000;

/** The part of a relay that calls Redis, without clients. */
interface IdleRelay {
  stop(): Promise<void>;
}

/** Loads the parts of a build, and returns how to start idle relays of one cluster. */
async function createCluster(build: string, redisUrl: string): Promise<{ start(id: string): Promise<IdleRelay> }> {
  const load = (path: string) => import(pathToFileURL(`${build}/${path}.js`).href);
  const { RedisBroker: BuiltBroker } = await load('shared/broker/redis/redis-broker');
  const { EnvReader } = await load('shared/config/env-reader');
  const { requireRedisConfig } = await load('shared/config/redis-config');
  const { Hub: BuiltHub } = await load('relay/hub/hub');
  const { RelayRegistryView: BuiltView } = await load('relay/cluster/relay-registry-view');
  const config = requireRedisConfig(
    new EnvReader({ REDIS_URL: redisUrl, HELIOGRAPH_PREFIX: randomPrefix(), PARTITIONS }),
  );
  const silent = new Proxy({}, { get: () => () => {} });
  return {
    async start(id) {
      const broker: RedisBroker = new BuiltBroker({ config, report: SILENT_REPORT, abort() {}, restoreTimeMs: 0 });
      const timing = { repairIntervalMs: REPAIR_INTERVAL_MS, floorSpreadMs: 0 };
      const hub: Hub = new BuiltHub({ feed: broker, clock: SYSTEM_CLOCK, report: silent, ...timing });
      const view: RelayRegistryView = new BuiltView({
        id,
        registry: broker,
        clock: SYSTEM_CLOCK,
        load: () => ({ connections: 1000, shed: 0 }),
        freshnessMs: 3 * REPAIR_INTERVAL_MS,
        exchanged() {},
      });
      await broker.start();
      hub.start();
      view.start();
      return {
        async stop() {
          hub.stop();
          await view.stop();
          await broker.stop();
        },
      };
    },
  };
}

/** Measures what idle relays cost Redis, with their probes, exchanges and pings, by the size of the cluster. */
async function measureIdle(context: BenchContext, name: string, build: string, samples: Samples): Promise<void> {
  const { redis, quick, progress } = context;
  const cluster = await createCluster(build, redis.url);
  const relays: IdleRelay[] = [];
  try {
    for (const size of quick ? [10, 100] : [10, 100, 1000]) {
      progress(`${name}: ${size} idle relays`);
      while (relays.length < size) {
        const ids = Array.from({ length: Math.min(CONNECTING, size - relays.length) }, (_, i) => relays.length + i);
        relays.push(...(await Promise.all(ids.map((id) => cluster.start(`relay-${id}`)))));
      }
      await pause(2 * REPAIR_INTERVAL_MS); // each was fresh, and has registered
      for (let round = 0; round < (quick ? 1 : 3); round += 1) {
        const startedMs = performance.now();
        const before = mainThreadCpuUs(redis.pid);
        await pause(2 * REPAIR_INTERVAL_MS);
        const seconds = (performance.now() - startedMs) / 1000;
        collect(samples, `${name} of ${size}, idle`, (mainThreadCpuUs(redis.pid) - before) / seconds / size);
      }
    }
  } finally {
    await Promise.all(relays.map((relay) => relay.stop()));
  }
}

/** Measures what updates cost relays, and Redis for each relay, if no client of theirs subscribes to them. */
async function measureUnheard(context: BenchContext, name: string, build: string, samples: Samples): Promise<void> {
  const { redis, quick, progress } = context;
  const updates = quick ? UPDATES / 5 : UPDATES;
  progress(`${name}: updates that no client hears`);
  const cluster = await startRelayCluster({ redisUrl: redis.url, build, env: { PARTITIONS } });
  try {
    const processes: MeasuredProcess[] = [];
    /** Returns the cost of an interval in which nothing, or `updates`, are published, at Redis and at all relays. */
    const measure = async (published: number) => {
      const cost = () => ({
        redisUs: mainThreadCpuUs(redis.pid),
        relayUs: processes.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
      });
      const before = cost();
      const endsMs = performance.now() + 4 * REPAIR_INTERVAL_MS;
      for (let i = 0; i < published; i += 100)
        await Promise.all(Array.from({ length: 100 }, (_, j) => cluster.publish(`unheard/${i + j}`, j)));
      await pause(Math.max(0, endsMs - performance.now()));
      const after = cost();
      return { redisUs: after.redisUs - before.redisUs, relayUs: after.relayUs - before.relayUs };
    };
    const difference = async () => {
      const [idle, busy] = [await measure(0), await measure(updates)];
      return { redisUs: busy.redisUs - idle.redisUs, relayUs: busy.relayUs - idle.relayUs };
    };
    const without = await difference();
    for (let i = 0; i < RELAYS; i += 1) processes.push((await cluster.addRelay()).process);
    for (let round = 0; round < (quick ? 1 : 3); round += 1) {
      const { redisUs, relayUs } = await difference();
      collect(samples, `${name}, unheard update, Redis`, (redisUs - without.redisUs) / updates / RELAYS);
      collect(samples, `${name}, unheard update, relay`, relayUs / updates / RELAYS);
    }
  } finally {
    await cluster.stop();
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
    const count = quick ? 1000 : 4000;
    const startedMs = performance.now();
    const before = mainThreadCpuUs(redis.pid);
    let made = 0;
    while (made < count && performance.now() - startedMs < MAX_EXCHANGING_MS) {
      // At the rate of this cluster, so that the summary is made as often as in reality, or at most 2,000 a second.
      const dueMs = startedMs + (made * 1000) / Math.min(Math.max(size / 2, 50), 2000);
      if (dueMs > performance.now()) await pause(dueMs - performance.now());
      await exchange(made);
      made += 1;
    }
    collect(samples, `exchange, ${size} relays`, (mainThreadCpuUs(redis.pid) - before) / made);
    await broker.stop();
  }
}

/** Measures what relays cost Redis, and what updates cost them that none of their clients subscribes to. */
export const measureRelayCost: MeasurePart = async (context, samples) => {
  const builds: [name: string, folder: string][] = [['relay', THIS_BUILD]];
  if (context.against !== undefined) builds.push(['relay of the other build', context.against]);
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
    row(`${name}, unheard update, Redis`, 2, 'µs of Redis, for each relay');
    row(`${name}, unheard update, relay`, 2, 'µs of the relay');
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
