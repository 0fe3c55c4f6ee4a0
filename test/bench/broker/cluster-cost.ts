import { parseTopic } from '../../../services/shared/update/topic.ts';
import { startRedisCluster } from '../../support/redis-cluster-fixture.ts';
import { THIS_BUILD } from '../servers/relay-cluster.ts';
import { collect, showSummary, summarize } from '../statistics.ts';
import { connectPublisher } from './connect-publisher.ts';
import { IdleRelays } from './idle-relays.ts';
import { mainThreadCpuUs } from './main-thread.ts';
import type { MeasurePart, Row } from './part.ts';

const MASTERS = [1, 2, 4];
/** Calls in flight for each master. */
const AT_ONCE = 16;
/** Enough for every partition to get its share. */
const TOPICS = 4000;

/** Measures what the masters of a Redis Cluster spend on an update, and the share of the busiest of them. */
export const measureClusterCost: MeasurePart = async ({ quick, progress }, samples) => {
  const [rounds, updates, relays] = quick ? [2, 1600, 20] : [5, 8000, 100];
  const [all, busiest, relay] = [
    (masters: number) => `${masters} masters: all`,
    (masters: number) => `${masters} masters: busiest`,
    (masters: number) => `${masters} masters: a relay`,
  ];
  for (const masters of MASTERS) {
    progress(`Redis Cluster of ${masters} masters`);
    const cluster = await startRedisCluster({ masters, replicas: false });
    // The user of this cluster may use keys of this prefix only.
    const env = { ...cluster.env, HELIOGRAPH_PREFIX: 'heliograph', PARTITIONS: '16' };
    const { publish, stop } = await connectPublisher(THIS_BUILD, env);
    let sent = 0;
    const publishNext = () => {
      sent += 1;
      return publish([parseTopic(`chat/${(sent * 7919) % TOPICS}`)], {});
    };
    try {
      for (let round = 0; round <= rounds; round += 1) {
        const before = cluster.nodes.map(({ pid }) => mainThreadCpuUs(pid));
        const atOnce = AT_ONCE * masters;
        for (let i = 0; i < updates; i += atOnce) await Promise.all(Array.from({ length: atOnce }, publishNext));
        const each = cluster.nodes.map(({ pid }, i) => (mainThreadCpuUs(pid) - (before[i] ?? 0)) / updates);
        if (round === 0) continue; // warms up
        collect(
          samples,
          all(masters),
          each.reduce((sum, us) => sum + us, 0),
        );
        collect(samples, busiest(masters), Math.max(...each));
      }
      progress(`Redis Cluster of ${masters} masters: ${relays} idle relays`);
      const idle = await IdleRelays.of(THIS_BUILD, cluster.nodes, env);
      try {
        await idle.grow(relays);
        for (let round = 0; round < (quick ? 1 : 3); round += 1)
          collect(samples, relay(masters), Math.max(...(await idle.measure())));
      } finally {
        await idle.stop();
      }
    } finally {
      await stop();
      await cluster.stop();
    }
  }
  const one = summarize(samples[busiest(1)]).median;
  const named = (masters: number) => `Redis Cluster, ${masters} ${masters === 1 ? 'master' : 'masters'}`;
  return {
    rows: [
      ...MASTERS.map(
        (masters): Row => [
          `an update in ${named(masters)}`,
          `${showSummary(samples[all(masters)], 1)} µs of all masters`,
          `busiest master, a single one: ${(summarize(samples[busiest(masters)]).median / one).toFixed(2)}`,
        ],
      ),
      ...MASTERS.map(
        (masters): Row => [
          `an idle relay of ${relays} in ${named(masters)}`,
          `${showSummary(samples[relay(masters)], 0)} µs of the busiest master a second`,
          `a core, 1,000 relays: ${(summarize(samples[relay(masters)]).median / 10).toFixed(1)} %`,
        ],
      ),
    ],
  };
};
