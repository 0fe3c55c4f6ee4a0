import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { Clients } from './clients/clients.ts';
import { topicName } from './clients/messages.ts';
import { type CommandCounts, readCommands } from './redis-counts.ts';
import { startRelayCluster } from './servers/relay-cluster.ts';
import { pause } from './test-bed.ts';

const CLIENTS = 200;
const TOPICS = 50;
/** Commands sent by Redis clients; all others are called by scripts. */
const SENT = ['eval', 'evalsha', 'hmget', 'get', 'set', 'ping', 'subscribe', 'unsubscribe', 'client|setname', 'hello'];

async function run({ redis, quick, progress }: BenchContext): Promise<BenchResult> {
  const idleMs = quick ? 3000 : 12_000;
  const updates = quick ? 50 : 500;
  const cluster = await startRelayCluster({ redisUrl: redis.url });
  const clients = new Clients();
  try {
    const relay = await cluster.addRelay();
    const webhook = await cluster.addWebhook();
    const { port } = relay;
    await clients.connect({
      protocol: 'websocket',
      port,
      count: CLIENTS,
      topics: TOPICS,
      topicsPerClient: 1,
      confirmsSubscription: true,
    });
    progress('idle');
    const idle = await countWhile(redis, () => pause(idleMs));
    progress('updates');
    const busy = await countWhile(redis, async () => {
      for (let i = 0; i < updates; i += 1) await webhook.publish(topicName(i % TOPICS), { i });
    });
    const busySeconds = busy.seconds;
    const idlePerSecond = (name: string) => (idle.calls.get(name) ?? 0) / idle.seconds;
    const perUpdate = (name: string) => ((busy.calls.get(name) ?? 0) - idlePerSecond(name) * busySeconds) / updates;
    const names = [...new Set([...idle.calls.keys(), ...busy.calls.keys()])].filter((name) => name !== 'info').sort();
    const sent = names.filter((name) => SENT.includes(name));
    const sum = (of: readonly string[], value: (name: string) => number) =>
      of.reduce((total, name) => total + value(name), 0);
    const row = (name: string, of: readonly string[]) => [
      name,
      sum(of, idlePerSecond).toFixed(1),
      Math.max(0, sum(of, perUpdate)).toFixed(2),
    ];
    return {
      columns: ['commands', 'per idle second', 'per update'],
      rows: [
        row('sent to Redis', sent),
        row(
          'called by scripts',
          names.filter((name) => !SENT.includes(name)),
        ),
        ...names
          .filter((name) => sum([name], perUpdate) > 0.05 || idlePerSecond(name) > 0.05)
          .map((name) => row(`  ${name}`, [name])),
      ],
      goals: [],
      samples: Object.fromEntries(names.map((name) => [name, [idlePerSecond(name), perUpdate(name)]])),
    };
  } finally {
    await clients.stop();
    await cluster.stop();
  }
}

async function countWhile(redis: BenchContext['redis'], action: () => Promise<void>) {
  const startedMs = performance.now();
  const before: CommandCounts = await readCommands(redis);
  await action();
  const calls = (await readCommands(redis)).since(before);
  return { calls, seconds: (performance.now() - startedMs) / 1000 };
}

export const REDIS_COMMANDS: Bench = {
  name: 'redis-commands',
  description: `The Redis commands of one relay with ${CLIENTS} clients of ${TOPICS} topics and one webhook, when idle and per update of a signed call`,
  run,
};
