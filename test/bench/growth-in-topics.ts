import { askRedis } from '../support/redis-admin.ts';
import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { Clients } from './clients/clients.ts';
import { planManyTopics, TOPICS_PER_CLIENT, topicName } from './clients/messages.ts';
import { buildsOf } from './compare-builds.ts';
import { startRelayCluster } from './servers/relay-cluster.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';
import { pause, rotate } from './test-bed.ts';

const IDLE_MS = 6000; // two rounds of digests
const AT_ONCE = 100;

const COSTS = {
  subscribe: 'CPU to subscribe to a topic, µs',
  deliver: 'to deliver an update, µs',
  foreign: 'for an update of a topic without clients, µs',
  rewatch: 'to watch a topic again, µs',
  floor: 'to notify of a raised floor, µs',
  idle: 'idle, ms per second',
  memory: 'memory per topic, KiB',
} as const;

/** Measures the costs of a relay with the given number of topics, each with one client. */
async function measure(options: {
  context: BenchContext;
  build?: string;
  topics: number;
  updates: number;
  note: (cost: keyof typeof COSTS, value: number) => void;
}) {
  const { context, topics, updates, note, ...build } = options;
  const { redis } = context;
  const cluster = await startRelayCluster({ redisUrl: redis.url, ...build });
  const clients = new Clients();
  try {
    const relay = await cluster.addRelay();
    const cpuUs = async (action: () => Promise<unknown>) => {
      const before = relay.process.cpuUs;
      await action();
      return relay.process.cpuUs - before;
    };
    const publish = async (nameOf: (n: number) => string) => {
      for (let i = 0; i < updates; i += AT_ONCE) {
        const names = Array.from({ length: AT_ONCE }, (_, k) => nameOf(((i + k) * 7919) % topics));
        await Promise.all(names.map((name) => cluster.publish(name, {})));
      }
    };
    const before = await relay.process.memory();
    note('subscribe', (await cpuUs(() => clients.connect(planManyTopics({ port: relay.port, topics })))) / topics);
    note('memory', ((await relay.process.memory()).rss - before.rss) / topics / 1024);
    await publish(topicName);
    await clients.receive(updates);
    const both = () => Promise.all([publish(topicName), clients.receive(updates)]);
    note('deliver', (await cpuUs(both)) / updates);
    note('foreign', (await cpuUs(() => publish((n) => `unwatched/${n}`))) / updates);
    note('idle', (await cpuUs(() => pause(IDLE_MS))) / IDLE_MS);
    await askRedis(redis.url, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    note('rewatch', (await cpuUs(() => pause(IDLE_MS))) / topics);
    // After FLUSHALL the floor is raised, and the clients of every topic are notified.
    const emptied = () => Promise.all([clients.receive(topics), askRedis(redis.url, 'FLUSHALL')]);
    note('floor', (await cpuUs(emptied)) / topics);
  } finally {
    await clients.stop();
    await cluster.stop();
  }
}

async function run(context: BenchContext): Promise<BenchResult> {
  const counts = context.quick ? [2500, 10_000] : [25_000, 50_000, 100_000];
  const rounds = context.quick ? 1 : 2;
  const updates = context.quick ? 500 : 2000;
  const builds = buildsOf(context.against);
  const samples: Samples = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const topics of counts) {
      for (const { suffix, ...build } of rotate(builds, round)) {
        const name = `${topics} topics${suffix}`;
        context.progress(`round ${round + 1} of ${rounds}: ${name}`);
        const note = (cost: keyof typeof COSTS, value: number) => collect(samples, `${name}: ${COSTS[cost]}`, value);
        await measure({ context, ...build, topics, updates, note });
      }
    }
  }
  const median = (count: number | undefined, cost: string) => summarize(samples[`${count} topics: ${cost}`]).median;
  const growth = (what: string, cost: string) => ({
    description: `${what}, most topics relative to fewest`,
    atMost: 1.5,
    measured: median(counts.at(-1), cost) / median(counts[0], cost),
  });
  const costs = Object.values(COSTS);
  return {
    columns: ['one relay, a client for each topic', ...costs],
    rows: builds
      .flatMap(({ suffix }) => counts.map((count) => `${count} topics${suffix}`))
      .map((name) => [
        name,
        ...costs.map((cost) => showSummary(samples[`${name}: ${cost}`], cost === COSTS.memory ? 2 : 1)),
      ]),
    goals: [
      growth('CPU to subscribe to a topic', COSTS.subscribe),
      growth('CPU to deliver an update', COSTS.deliver),
      growth('CPU to watch a topic again', COSTS.rewatch),
      growth('CPU to notify of a raised floor', COSTS.floor),
    ],
    samples,
  };
}

export const GROWTH_IN_TOPICS: Bench = {
  name: 'growth-in-topics',
  description: `How the costs per topic grow with the number of topics; each client is subscribed to ${TOPICS_PER_CLIENT} topics of its own`,
  run,
};
