import { parseTopic } from '../../../services/shared/update/topic.ts';
import { startRedisCluster } from '../../support/redis-cluster-fixture.ts';
import { THIS_BUILD } from '../servers/relay-cluster.ts';
import { collect, showSummary, summarize } from '../statistics.ts';
import { connectPublisher } from './connect-publisher.ts';
import { mainThreadCpuUs } from './main-thread.ts';
import type { MeasurePart } from './part.ts';

const MASTERS = [1, 2, 4];
/** Calls in flight for each master. */
const AT_ONCE = 16;
/** Enough for every partition to get its share. */
const TOPICS = 4000;

/** Measures what the masters of a Redis Cluster spend on an update, and the share of the busiest of them. */
export const measureClusterCost: MeasurePart = async ({ quick, progress }, samples) => {
  const [rounds, updates] = quick ? [2, 1600] : [5, 8000];
  const [all, busiest] = [
    (masters: number) => `${masters} masters: all`,
    (masters: number) => `${masters} masters: busiest`,
  ];
  for (const masters of MASTERS) {
    progress(`Redis Cluster of ${masters} masters`);
    const cluster = await startRedisCluster({ masters, replicas: false });
    const { publish, stop } = await connectPublisher(THIS_BUILD, { ...cluster.env, PARTITIONS: '16' });
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
    } finally {
      await stop();
      await cluster.stop();
    }
  }
  const one = summarize(samples[busiest(1)]).median;
  return {
    rows: MASTERS.map((masters) => [
      `an update in Redis Cluster, ${masters} ${masters === 1 ? 'master' : 'masters'}`,
      `${showSummary(samples[all(masters)], 1)} µs of all masters`,
      `busiest master, a single one: ${(summarize(samples[busiest(masters)]).median / one).toFixed(2)}`,
    ]),
  };
};
