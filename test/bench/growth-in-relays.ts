import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { Clients } from './clients/clients.ts';
import { topicName } from './clients/messages.ts';
import { startRelayCluster } from './servers/relay-cluster.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';

const COUNTS = [1, 2, 4];

/** The CPU of each of so many relays for one update that all clients are told of, in microseconds. */
async function measure(options: { redisUrl: string; relays: number; clients: number; updates: number }) {
  const { redisUrl, relays: count, clients: total, updates } = options;
  const cluster = await startRelayCluster({ redisUrl });
  const clients = new Clients();
  try {
    const relays = [];
    for (let i = 0; i < count; i += 1) {
      const relay = await cluster.addRelay();
      relays.push(relay.process);
      const plan = { protocol: 'ws', port: relay.port, topics: 1, topicsPerClient: 1, isGreeted: true } as const;
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

async function run({ redis, quick, progress }: BenchContext): Promise<BenchResult> {
  const clients = quick ? 800 : 8000;
  const rounds = quick ? 1 : 3;
  const updates = 20;
  const samples: Samples = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const relays of COUNTS) {
      progress(`round ${round + 1} of ${rounds}: ${relays} relays`);
      const each = await measure({ redisUrl: redis.url, relays, clients, updates });
      for (const cpuUs of each) collect(samples, `${relays}`, cpuUs / 1000);
    }
  }
  const median = (count: number) => summarize(samples[`${count}`]).median;
  return {
    columns: ['relays', 'CPU of each for an update, ms', 'share of what one alone pays'],
    rows: COUNTS.map((count) => [
      String(count),
      showSummary(samples[`${count}`], 2),
      (median(count) / median(1)).toFixed(2),
    ]),
    goals: [
      { what: 'CPU of each of four relays against that of one alone', atMost: 0.3, measured: median(4) / median(1) },
    ],
    samples,
  };
}

export const GROWTH_IN_RELAYS: Bench = {
  name: 'growth-in-relays',
  what: 'Twice the relays, half the load on each: 8,000 clients on one topic (800 with --quick)',
  run,
};
