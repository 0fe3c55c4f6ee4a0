import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { Clients } from './clients/clients.ts';
import { topicName } from './clients/messages.ts';
import { buildsOf } from './compare-builds.ts';
import { startRelayCluster } from './servers/relay-cluster.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';
import { rotate } from './test-bed.ts';

const COUNTS = [1, 2, 4];

/** Returns the CPU of each relay for one update to all clients, in microseconds. */
async function measure(options: {
  redisUrl: string;
  build?: string;
  relays: number;
  clients: number;
  updates: number;
}) {
  const { relays: count, clients: total, updates } = options;
  const cluster = await startRelayCluster(options);
  const clients = new Clients();
  try {
    const relays = [];
    for (let i = 0; i < count; i += 1) {
      const relay = await cluster.addRelay();
      relays.push(relay.process);
      const plan = {
        protocol: 'websocket',
        port: relay.port,
        topics: 1,
        topicsPerClient: 1,
        confirmsSubscription: true,
      } as const;
      await clients.connect({ ...plan, count: total / count });
    }
    const publish = async (times: number) => {
      for (let i = 0; i < times; i += 1)
        await Promise.all([clients.receive(total), cluster.publish(topicName(0), { i })]);
    };
    await publish(updates);
    const before = relays.map(({ cpuUs }) => cpuUs);
    await publish(updates);
    return relays.map(({ cpuUs }, i) => (cpuUs - (before[i] ?? 0)) / updates);
  } finally {
    await clients.stop();
    await cluster.stop();
  }
}

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const clients = quick ? 800 : 8000;
  const rounds = quick ? 1 : 3;
  const updates = 20;
  const builds = buildsOf(against);
  const samples: Samples = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const relays of COUNTS) {
      for (const { suffix, ...build } of rotate(builds, round)) {
        const name = `${relays} relays${suffix}`;
        progress(`round ${round + 1} of ${rounds}: ${name}`);
        const each = await measure({ redisUrl: redis.url, ...build, relays, clients, updates });
        for (const cpuUs of each) collect(samples, name, cpuUs / 1000);
      }
    }
  }
  const median = (count: number, suffix = '') => summarize(samples[`${count} relays${suffix}`]).median;
  return {
    columns: ['cluster', 'CPU per relay and update, ms', 'relative to one relay'],
    rows: builds.flatMap(({ suffix }) =>
      COUNTS.map((count) => [
        `${count} relays${suffix}`,
        showSummary(samples[`${count} relays${suffix}`], 2),
        (median(count, suffix) / median(1, suffix)).toFixed(2),
      ]),
    ),
    goals: [
      {
        description: 'CPU of each of four relays, relative to a single relay',
        atMost: 0.3,
        measured: median(4) / median(1),
      },
    ],
    samples,
  };
}

export const GROWTH_IN_RELAYS: Bench = {
  name: 'growth-in-relays',
  description:
    'How the CPU of each relay falls with the number of relays, with 8,000 clients on one topic (800 with --quick)',
  run,
};
