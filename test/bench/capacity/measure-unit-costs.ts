import { Redis } from 'ioredis';
import type { BenchContext } from '../bench.ts';
import { IdleRelays } from '../broker/idle-relays.ts';
import { mainThreadCpuUs } from '../broker/main-thread.ts';
import { measurePublishCost } from '../broker/publish-cost.ts';
import { measureTopicMemory } from '../broker/topic-memory.ts';
import { measureWebhookCost } from '../broker/webhook-cost.ts';
import { Clients } from '../clients/clients.ts';
import { topicName } from '../clients/messages.ts';
import { startRelayCluster, THIS_BUILD } from '../servers/relay-cluster.ts';
import { type Samples, summarize } from '../statistics.ts';
import { SMALL_YOUNG_GENERATION } from '../test-bed.ts';
import type { UnitCosts } from './capacity.ts';

const IDLE_RELAYS = 300;
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
    redisUsPerRelaySecond: await measureIdleRelay(context),
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
    // One by one: a subscriber that hears several at once gets them with one system call.
    for (let i = 0; i < PUBLISHES; i += 1) await publisher.publish('bench', 'x'.repeat(120));
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

/** Returns the CPU of Redis for each of many idle relays, in microseconds a second: one alone finds Redis asleep. */
async function measureIdleRelay({ redis, quick, progress }: BenchContext): Promise<number> {
  progress('idle relays');
  const relays = await IdleRelays.of(THIS_BUILD, [redis], { REDIS_URL: redis.url });
  try {
    await relays.grow(quick ? IDLE_RELAYS / 5 : IDLE_RELAYS);
    const samples: number[] = [];
    for (let round = 0; round < (quick ? 1 : 3); round += 1) samples.push(...(await relays.measure()));
    return Math.max(0, summarize(samples).median);
  } finally {
    await relays.stop();
  }
}

/** Measures a relay with clients of one topic, and for updates. */
async function measureRelay({ redis, progress }: BenchContext) {
  progress('a relay');
  const cluster = await startRelayCluster({ redisUrl: redis.url });
  const [crowd, pair] = [new Clients(), new Clients()];
  try {
    const relay = await cluster.addRelay();
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
    return { relayBytes, relayUsPerUpdate, relayUsPerDelivery };
  } finally {
    await Promise.all([crowd.stop(), pair.stop()]);
    await cluster.stop();
  }
}
