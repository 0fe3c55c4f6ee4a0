import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { Clients } from './clients/clients.ts';
import { topicName } from './clients/messages.ts';
import { buildsOf } from './compare-builds.ts';
import { readCommands } from './redis-counts.ts';
import { startRelayCluster } from './servers/relay-cluster.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';
import { inRounds, pause } from './test-bed.ts';

const TOPICS = 100;
const SETTLE_MS = 500;

/** Connects the clients of a lost relay at once to another relay that does not have their topics yet. */
async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const clients = quick ? 1000 : 10_000;
  const rounds = quick ? 1 : 3;
  const samples: Samples = {};
  const builds = buildsOf(against);
  for (const { round, suffix, ...build } of inRounds(builds, rounds)) {
    const cluster = await startRelayCluster({ redisUrl: redis.url, ...build });
    const connections = new Clients();
    try {
      for (let i = 0; i < TOPICS; i += 1) await cluster.publish(topicName(i), { text: 'x'.repeat(100) });
      for (const [what, since] of [
        ['all notified', 1],
        ['none notified', undefined],
      ] as const) {
        const kind = `${what}${suffix}`;
        progress(`round ${round + 1} of ${rounds}: ${kind}`);
        const relay = await cluster.addRelay();
        const plan = {
          protocol: 'websocket',
          port: relay.port,
          count: clients,
          topics: TOPICS,
          topicsPerClient: 1,
        } as const;
        const before = { cpuUs: relay.process.cpuUs, commands: await readCommands(redis), ms: performance.now() };
        await Promise.all([
          connections.receive(since === undefined ? 0 : clients),
          connections.connect({ ...plan, confirmsSubscription: true, ...(since === undefined ? {} : { since }) }),
        ]);
        collect(samples, `${kind}: seconds`, (performance.now() - before.ms) / 1000);
        const after = await readCommands(redis);
        collect(samples, `${kind}: CPU of a client, µs`, (relay.process.cpuUs - before.cpuUs) / clients);
        // Each digest also reads the state of its partition with HMGET, besides its index.
        const reads = after.count('hmget') - before.commands.count('hmget');
        const digests = after.count('zrangebyscore') - before.commands.count('zrangebyscore');
        collect(samples, `${kind}: reads of a topic`, (reads - digests) / TOPICS);
        await connections.disconnect();
        await pause(SETTLE_MS);
        await relay.stop();
      }
    } finally {
      await connections.stop();
      await cluster.stop();
    }
  }
  const kinds = builds.flatMap(({ suffix }) => [`all notified${suffix}`, `none notified${suffix}`]);
  const show = (kind: string, cost: string, digits: number) => showSummary(samples[`${kind}: ${cost}`], digits);
  return {
    columns: [
      'reconnecting clients',
      'time until all are current, s',
      'relay CPU per client, µs',
      'Redis reads per topic',
    ],
    rows: kinds.map((kind) => [
      `${clients}, ${kind}`,
      show(kind, 'seconds', 2),
      show(kind, 'CPU of a client, µs', 0),
      show(kind, 'reads of a topic', 2),
    ]),
    goals: [
      {
        description: 'register reads per topic in a catch-up storm',
        atMost: 1.1,
        measured: summarize(samples['all notified: reads of a topic']).median,
      },
    ],
    samples,
  };
}

export const CATCH_UP_STORM: Bench = {
  name: 'catch-up-storm',
  description: `10,000 clients of ${TOPICS} topics connect at once to a relay that has just started, with an old version or without a version (1,000 with --quick)`,
  run,
};
