import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { Clients } from './clients/clients.ts';
import { topicName } from './clients/messages.ts';
import { buildsOf } from './compare-builds.ts';
import { type CommandCounts, readCommands } from './redis-counts.ts';
import { startRelayCluster } from './servers/relay-cluster.ts';
import { collect, type Samples, showSummary, summarize } from './statistics.ts';
import { inRounds, pause } from './test-bed.ts';

const CLIENTS = 200;
const TOPICS = 50;
/** Commands sent by Redis clients; all others are called by scripts. */
const SENT = ['eval', 'evalsha', 'hmget', 'get', 'set', 'ping', 'subscribe', 'unsubscribe', 'client|setname', 'hello'];

/** Returns how often a relay and a webhook of a build call each command, by its name. */
async function countCommands({ redis, quick, progress }: BenchContext, build: { build?: string }) {
  const idleMs = quick ? 3000 : 4000;
  const updates = quick ? 50 : 200;
  const cluster = await startRelayCluster({ redisUrl: redis.url, ...build });
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
    return [...new Set([...idle.calls.keys(), ...busy.calls.keys()])]
      .filter((name) => name !== 'info')
      .map((name) => ({ name, idlePerSecond: idlePerSecond(name), perUpdate: Math.max(0, perUpdate(name)) }));
  } finally {
    await clients.stop();
    await cluster.stop();
  }
}

async function run(context: BenchContext): Promise<BenchResult> {
  const builds = buildsOf(context.against);
  const samples: Samples = {};
  const names = new Set<string>();
  for (const { suffix, ...build } of inRounds(builds, context.quick ? 1 : 3)) {
    const commands = await countCommands(context, build);
    const note = (name: string, of: typeof commands) => {
      names.add(name);
      const sum = (key: 'idlePerSecond' | 'perUpdate') => of.reduce((total, command) => total + command[key], 0);
      collect(samples, `${name}${suffix}: idle`, sum('idlePerSecond'));
      collect(samples, `${name}${suffix}: update`, sum('perUpdate'));
    };
    note(
      'sent to Redis',
      commands.filter(({ name }) => SENT.includes(name)),
    );
    note(
      'called by scripts',
      commands.filter(({ name }) => !SENT.includes(name)),
    );
    for (const command of commands.toSorted((a, b) => (a.name < b.name ? -1 : 1))) note(`  ${command.name}`, [command]);
  }
  const rows = builds.flatMap(({ suffix }) => [...names].map((name) => `${name}${suffix}`));
  const isRare = (name: string) =>
    ['idle', 'update'].every((key) => summarize(samples[`${name}: ${key}`]).high <= 0.05);
  return {
    columns: ['commands', 'per idle second', 'per update'],
    rows: rows
      .filter((name) => !isRare(name))
      .map((name) => [name, showSummary(samples[`${name}: idle`], 1), showSummary(samples[`${name}: update`], 2)]),
    goals: [],
    samples,
  };
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
