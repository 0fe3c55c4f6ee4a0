import { Redis } from 'ioredis';
import type { BenchContext } from '../bench.ts';
import { mainThreadCpuUs } from '../broker/main-thread.ts';
import { measurePublishCost } from '../broker/publish-cost.ts';
import { measureTopicMemory } from '../broker/topic-memory.ts';
import { measureWebhookCost } from '../broker/webhook-cost.ts';
import { Clients } from '../clients/clients.ts';
import { topicName } from '../clients/messages.ts';
import { startRelayCluster } from '../servers/relay-cluster.ts';
import { type Samples, summarize } from '../statistics.ts';
import { pause, SMALL_YOUNG_GENERATION } from '../test-bed.ts';
import type { UnitCosts } from './capacity.ts';

const IDLE_MS = 9000; // three rounds of probes
const CLIENTS = 2000;
/** Connected after the first ones, which also cause one-time allocations. */
const MORE_CLIENTS = 8000;
const UPDATES = 50;
const SUBSCRIBERS = 10;
const PUBLISHES = 3000;

/** Measures the unit costs on this machine, approximately. */
export async function measureUnitCosts(context: BenchContext): Promise<UnitCosts> {
  const samples: Samples = {};
  for (const measure of [measurePublishCost, measureWebhookCost, measureTopicMemory]) await measure(context, samples);
  const median = (name: string) => summarize(samples[name]).median;
  return {
    redisUsPerUpdate: median('update, 100 B of data'),
    redisUsPerReceiver: await measureReceiver(context),
    redisBytesPerTopic: median('100 B: Redis'),
    webhookUsPerUpdate: median('webhook call: plain'),
    relayBytesPerTopic: median('100 B: relay'),
    relayBytesPerClient: await measureClientMemory(context),
    ...(await measureRelay(context)),
  };
}

/** Returns the CPU of Redis for each subscriber that hears a PUBLISH, in microseconds. */
async function measureReceiver({ redis, progress }: BenchContext): Promise<number> {
  progress('subscribers of Redis');
  const links = Array.from({ length: SUBSCRIBERS + 1 }, () => new Redis(redis.url));
  const [publisher, ...subscribers] = links as [Redis, ...Redis[]];
  const cpuUs = async () => {
    const before = mainThreadCpuUs(redis.pid);
    for (let i = 0; i < PUBLISHES; i += 20)
      await Promise.all(Array.from({ length: 20 }, () => publisher.publish('bench', 'x'.repeat(120))));
    return (mainThreadCpuUs(redis.pid) - before) / PUBLISHES;
  };
  try {
    await cpuUs();
    const alone = await cpuUs();
    await Promise.all(subscribers.map((subscriber) => subscriber.subscribe('bench')));
    return Math.max(0, (await cpuUs()) - alone) / SUBSCRIBERS;
  } finally {
    for (const link of links) link.disconnect();
  }
}

/** Returns the memory of a relay for a client of one topic, in bytes. */
async function measureClientMemory({ redis, quick, progress }: BenchContext): Promise<number> {
  progress('memory of a client');
  const cluster = await startRelayCluster({ redisUrl: redis.url, nodeArgs: SMALL_YOUNG_GENERATION });
  const clients = new Clients();
  try {
    const { port, process } = await cluster.addRelay();
    const connect = async (count: number) => {
      await clients.connect({
        protocol: 'websocket',
        port,
        count,
        topics: 1,
        topicsPerClient: 1,
        confirmsSubscription: true,
      });
      return (await process.memory()).rss;
    };
    const before = await connect(CLIENTS);
    const more = quick ? MORE_CLIENTS / 4 : MORE_CLIENTS;
    return ((await connect(more)) - before) / more;
  } finally {
    await clients.stop();
    await cluster.stop();
  }
}

/** Measures a relay: idle, with clients of one topic, and for updates. */
async function measureRelay({ redis, progress }: BenchContext) {
  progress('a relay');
  const cluster = await startRelayCluster({ redisUrl: redis.url });
  const [crowd, pair] = [new Clients(), new Clients()];
  const idleUs = async () => {
    const before = mainThreadCpuUs(redis.pid);
    await pause(IDLE_MS);
    return ((mainThreadCpuUs(redis.pid) - before) / IDLE_MS) * 1000;
  };
  try {
    const withoutRelay = await idleUs();
    const relay = await cluster.addRelay();
    const redisUsPerRelaySecond = Math.max(0, (await idleUs()) - withoutRelay);
    /** Returns the CPU of the relay for an update to all subscribers of a topic. */
    const cpuUs = async (clients: Clients, topic: string, subscribers: number) => {
      const before = relay.process.cpuUs;
      for (let i = 0; i < UPDATES; i += 1)
        await Promise.all([clients.receive(subscribers), cluster.publish(topic, 'x'.repeat(98))]);
      return (relay.process.cpuUs - before) / UPDATES;
    };
    const plan = { protocol: 'websocket', port: relay.port, topicsPerClient: 1, confirmsSubscription: true } as const;
    const { rss: relayBytes } = await relay.process.memory();
    await crowd.connect({ ...plan, count: CLIENTS, topics: 1 });
    await cpuUs(crowd, topicName(0), CLIENTS); // warms up
    const toCrowd = await cpuUs(crowd, topicName(0), CLIENTS);
    await pair.connect({ ...plan, count: 2, topics: 2 }); // the second topic has one client
    const relayUsPerUpdate = await cpuUs(pair, topicName(1), 1);
    const relayUsPerDelivery = Math.max(0, toCrowd - relayUsPerUpdate) / CLIENTS;
    return { redisUsPerRelaySecond, relayBytes, relayUsPerUpdate, relayUsPerDelivery };
  } finally {
    await Promise.all([crowd.stop(), pair.stop()]);
    await cluster.stop();
  }
}
