import { askRedis } from '../support/redis-admin.ts';
import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { mainThreadCpuUs } from './broker/main-thread.ts';
import { Clients } from './clients/clients.ts';
import { type ClientPlan, topicName } from './clients/messages.ts';
import { buildsOf } from './compare-builds.ts';
import type { RunningServer } from './servers/contender.ts';
import { BASELINE } from './servers/contenders.ts';
import { type RelayCluster, startRelayCluster } from './servers/relay-cluster.ts';
import { collect, type Samples, showSummary } from './statistics.ts';
import { rotate } from './test-bed.ts';

/** Fewer than the files that a process may open in many systems. */
const CLIENTS_PER_SERVER = 17_000;
const TOPICS = 100;
const COLUMNS = ['seconds', 'CPU of the servers per client, µs', 'CPU of Redis per client, µs'] as const;
const EVENTS = {
  bare: 'bare uWebSockets.js: servers killed, all connected to others',
  killed: 'relays killed, each client connected to another one and has the update it missed',
  floor: 'floors of all partitions raised, each client of a topic of its own notified',
} as const;

/** Measures an action: its time, and the CPU that servers and Redis need for each client. */
type Measure = (event: string, servers: readonly RunningServer[], action: () => Promise<unknown>) => Promise<void>;

/** Runs an action with this number of servers and client processes, connected by the plan of each, and stops them. */
async function withClients(
  options: { clients: number; count: number; start: () => Promise<RunningServer>; plan: Partial<ClientPlan> },
  action: (pools: readonly Clients[], lost: readonly RunningServer[], left: readonly RunningServer[]) => Promise<void>,
) {
  const { clients, count, start, plan } = options;
  const servers: RunningServer[] = [];
  const pools: Clients[] = [];
  try {
    for (let i = 0; i < 2 * count; i += 1) servers.push(await start());
    const [lost, left] = [servers.slice(0, count), servers.slice(count)];
    for (const [i, { port }] of lost.entries()) {
      const pool = new Clients();
      pools.push(pool);
      await pool.connect({
        protocol: 'websocket',
        port,
        count: clients / count,
        topics: TOPICS,
        topicsPerClient: 1,
        confirmsSubscription: true,
        fallbackPort: (left[i] as RunningServer).port,
        ...plan,
      });
    }
    await action(pools, lost, left);
  } finally {
    await Promise.all(pools.map((pool) => pool.stop()));
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Connects as many clients to the relays, each with a topic of its own, and raises all floors. */
async function raiseFloors(
  deps: { redisUrl: string; clients: number; measure: (action: () => Promise<unknown>) => Promise<void> },
  pools: readonly Clients[],
  relays: readonly RunningServer[],
) {
  const { redisUrl, clients, measure } = deps;
  const count = clients / pools.length;
  await Promise.all(pools.map((pool) => pool.disconnect()));
  for (const [i, pool] of pools.entries()) {
    await pool.takeAges();
    await pool.connect({
      protocol: 'websocket',
      port: (relays[i] as RunningServer).port,
      count,
      topics: clients,
      firstTopic: i * count,
      topicsPerClient: 1,
      confirmsSubscription: true,
    });
  }
  await measure(() => Promise.all([...pools.map((pool) => pool.receive(count)), askRedis(redisUrl, 'FLUSHALL')]));
}

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const count = quick ? 1 : 6;
  const clients = quick ? 1000 : Math.floor(100_000 / count) * count;
  if (clients / count > CLIENTS_PER_SERVER) throw new Error('too many clients for a process');
  const rounds = quick ? 1 : 3;
  const builds = buildsOf(against);
  const samples: Samples = {};
  const measure: Measure = async (event, servers, action) => {
    const cpuUs = () => servers.reduce((sum, { process }) => sum + process.cpuUs, 0);
    const before = { serversUs: cpuUs(), redisUs: mainThreadCpuUs(redis.pid), ms: performance.now() };
    await action();
    collect(samples, `${event}: ${COLUMNS[0]}`, (performance.now() - before.ms) / 1000);
    collect(samples, `${event}: ${COLUMNS[1]}`, (cpuUs() - before.serversUs) / clients);
    collect(samples, `${event}: ${COLUMNS[2]}`, (mainThreadCpuUs(redis.pid) - before.redisUs) / clients);
  };
  for (let round = 0; round < rounds; round += 1) {
    progress(`round ${round + 1} of ${rounds}: bare servers`);
    const bare = {
      clients,
      count,
      start: () => BASELINE.start({ redisUrl: redis.url }),
      plan: { confirmsSubscription: false },
    };
    await withClients(bare, (pools, lost, left) =>
      measure(EVENTS.bare, left, async () => {
        await Promise.all(lost.map((server) => server.stop()));
        await Promise.all(pools.map((pool) => pool.ready()));
      }),
    );
    for (const { suffix, ...build } of rotate(builds, round)) {
      progress(`round ${round + 1} of ${rounds}: relays${suffix}`);
      const cluster: RelayCluster = await startRelayCluster({ redisUrl: redis.url, ...build });
      try {
        const relays = { clients, count, start: () => cluster.addRelay(), plan: {} };
        await withClients(relays, async (pools, lost, left) => {
          await measure(`${EVENTS.killed}${suffix}`, left, async () => {
            await Promise.all(lost.map((server) => server.stop()));
            for (let i = 0; i < TOPICS; i += 1) await cluster.publish(topicName(i), {});
            await Promise.all(pools.map((pool) => pool.receive(clients / count)));
          });
          const measureFloors = (action: () => Promise<unknown>) => measure(`${EVENTS.floor}${suffix}`, left, action);
          await raiseFloors({ redisUrl: redis.url, clients, measure: measureFloors }, pools, left);
        });
      } finally {
        await cluster.stop();
      }
    }
  }
  return {
    columns: [`${clients} clients`, ...COLUMNS],
    rows: [
      EVENTS.bare,
      ...builds.flatMap(({ suffix }) => [`${EVENTS.killed}${suffix}`, `${EVENTS.floor}${suffix}`]),
    ].map((event) => [event, ...COLUMNS.map((column) => showSummary(samples[`${event}: ${column}`], 1))]),
    goals: [],
    samples,
  };
}

export const LOST_RELAYS: Bench = {
  name: 'lost-relays',
  description:
    'The time until 100,000 clients of six killed relays are current on six others, and until a raised floor has reached them (1,000 of one relay with --quick)',
  isLong: true,
  run,
};
