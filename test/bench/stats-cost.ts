import type { Bench, BenchContext, BenchResult } from './bench.ts';
import { Clients } from './clients/clients.ts';
import { topicName } from './clients/messages.ts';
import { buildsOf } from './compare-builds.ts';
import type { RunningServer } from './servers/contender.ts';
import { startRelayCluster } from './servers/relay-cluster.ts';
import { collect, ratios, type Samples, showSummary, summarize } from './statistics.ts';
import { pause } from './test-bed.ts';

const PER_SECOND = 100;
const CLIENTS = 200;
const MIB = 1024 * 1024;

const MODES = {
  off: {},
  default: { STATS_TOKEN: 'a-token-of-the-tests' },
  always: { STATS_TOKEN: 'a-token-of-the-tests', STATS_SAMPLE_RATE: '1' },
} as const;

/** A webhook and a relay with clients, with call statistics in one of the modes. */
interface Side {
  readonly mode: string;
  readonly webhook: RunningServer;
  readonly relay: RunningServer;
  stop(): Promise<void>;
}

async function startSide(
  mode: keyof typeof MODES,
  options: { redisUrl: string; suffix: string; build?: string },
): Promise<Side> {
  const cluster = await startRelayCluster({ ...options, env: MODES[mode] });
  const clients = new Clients();
  const stop = async () => {
    await clients.stop();
    await cluster.stop();
  };
  try {
    const relay = await cluster.addRelay();
    const webhook = await cluster.addWebhook();
    const plan = {
      protocol: 'websocket',
      port: relay.port,
      topics: 1,
      topicsPerClient: 1,
      confirmsSubscription: true,
    } as const;
    await clients.connect({ ...plan, count: CLIENTS });
    return { mode: `${mode}${options.suffix}`, webhook, relay, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Publishes on all sides in turn, so that other load on the machine affects all of them. */
async function publish(sides: readonly Side[], seconds: number): Promise<void> {
  const startedMs = performance.now();
  const calls: Promise<void>[] = [];
  for (let i = 0; i < seconds * PER_SECOND; i += 1) {
    for (const { webhook } of sides) {
      const call = webhook.publish(topicName(0), { i });
      call.catch(() => {}); // awaited below
      calls.push(call);
    }
    await pause(Math.max(0, startedMs + ((i + 1) * 1000) / PER_SECOND - performance.now()));
  }
  await Promise.all(calls);
}

async function run({ redis, quick, against, progress }: BenchContext): Promise<BenchResult> {
  const [warmUpSeconds, parts, partSeconds] = quick ? [2, 3, 2] : [15, 10, 6];
  const samples: Samples = {};
  const sides: Side[] = [];
  try {
    for (const build of buildsOf(against)) {
      for (const mode of Object.keys(MODES) as (keyof typeof MODES)[])
        sides.push(await startSide(mode, { redisUrl: redis.url, ...build }));
    }
    progress('warm-up');
    await publish(sides, warmUpSeconds);
    for (let part = 0; part < parts; part += 1) {
      progress(`part ${part + 1} of ${parts}`);
      const before = sides.map(({ webhook, relay }) => [webhook.process.cpuUs, relay.process.cpuUs] as const);
      await publish(sides, partSeconds);
      for (const [i, { mode, webhook, relay }] of sides.entries()) {
        const [webhookBefore = 0, relayBefore = 0] = before[i] ?? [];
        const updates = partSeconds * PER_SECOND;
        const [webhookUs, relayUs] = [webhook.process.cpuUs - webhookBefore, relay.process.cpuUs - relayBefore];
        collect(samples, `${mode}: webhook`, webhookUs / updates);
        collect(samples, `${mode}: relay`, relayUs / updates);
        collect(samples, `${mode}: both`, (webhookUs + relayUs) / partSeconds / 1e4);
      }
    }
    for (const { mode, webhook, relay } of sides) {
      collect(samples, `${mode}: memory`, (webhook.process.residentBytes + relay.process.residentBytes) / MIB);
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
  const relativeToOff = (mode: string, cost: string) => ratios(samples[`${mode}: ${cost}`], samples[`off: ${cost}`]);
  const more = (mode: string) =>
    (samples[`${mode}: both`] ?? []).map((share, i) => share - (samples['off: both']?.[i] ?? 0));
  return {
    columns: [
      'call statistics',
      'webhook CPU per update, µs',
      'relay CPU per update, µs',
      'CPU of both, relative to off',
      'CPU of both, % of a core',
      'memory of both, MiB',
    ],
    rows: sides.map(({ mode }) => [
      mode,
      showSummary(samples[`${mode}: webhook`], 0),
      showSummary(samples[`${mode}: relay`], 0),
      showSummary(relativeToOff(mode, 'both'), 3),
      showSummary(samples[`${mode}: both`], 1),
      showSummary(samples[`${mode}: memory`], 0),
    ]),
    goals: [
      {
        description: 'CPU of call statistics by default, % of a core',
        atMost: 1,
        measured: summarize(more('default')).median,
      },
    ],
    samples,
  };
}

export const STATS_COST: Bench = {
  name: 'stats-cost',
  description: `The cost of call statistics in a webhook and a relay with ${CLIENTS} clients, at ${PER_SECOND} updates per second by signed calls`,
  run,
};
