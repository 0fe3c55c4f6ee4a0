import { askRedis } from '../../support/redis-admin.ts';
import { Clients } from '../clients/clients.ts';
import { planManyTopics, topicName } from '../clients/messages.ts';
import { startRelayCluster } from '../servers/relay-cluster.ts';
import { collect, showSummary } from '../statistics.ts';
import { SMALL_YOUNG_GENERATION } from '../test-bed.ts';
import type { MeasurePart, Row } from './part.ts';

const DATA_BYTES = [0, 100, 4096];
const AT_ONCE = 100;
/** Subscribed to before: a process that has just started grows by more than its topics. */
const EARLIER_TOPICS = 2000;

/** Measures the memory of a topic in Redis, and in a relay with a client subscribed to it. */
export const measureTopicMemory: MeasurePart = async ({ redis, quick, progress }, samples) => {
  const topics = quick ? 4000 : 12_000;
  const usedBytes = async () =>
    Number(/used_memory:(\d+)/.exec(String(await askRedis(redis.url, 'INFO', 'memory')))?.[1]);
  const rows: Row[] = [];
  for (const bytes of DATA_BYTES) {
    progress(`memory of a topic with ${bytes} B of data`);
    const cluster = await startRelayCluster({
      redisUrl: redis.url,
      nodeArgs: SMALL_YOUNG_GENERATION,
      env: { MAX_RELAY_DATA: '1GiB' },
    });
    const clients = new Clients();
    try {
      const relay = await cluster.addRelay();
      const redisBefore = await usedBytes();
      for (let i = 0; i < topics; i += AT_ONCE) {
        const names = Array.from({ length: AT_ONCE }, (_, k) => topicName(i + k));
        await Promise.all(names.map((name) => cluster.publish(name, bytes === 0 ? undefined : 'x'.repeat(bytes - 2))));
      }
      const redisAfter = await usedBytes();
      const subscribe = async (count: number) => {
        await clients.connect(planManyTopics({ port: relay.port, topics: count }));
        return relay.process.memory();
      };
      const relayBefore = await subscribe(EARLIER_TOPICS);
      const relayAfter = await subscribe(topics);
      const [inRedis, inRelay] = [`${bytes} B: Redis`, `${bytes} B: relay`];
      collect(samples, inRedis, (redisAfter - redisBefore) / topics);
      collect(samples, inRelay, (relayAfter.rss - relayBefore.rss) / (topics - EARLIER_TOPICS));
      const subscribed = `with a client: ${showSummary(samples[inRelay], 0)} B of a relay`;
      rows.push([
        `memory of a topic, ${bytes} B of data`,
        `${showSummary(samples[inRedis], 0)} B of Redis`,
        subscribed,
      ]);
    } finally {
      await clients.stop();
      await cluster.stop();
    }
  }
  return { rows };
};
