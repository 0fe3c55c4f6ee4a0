import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Report } from '../../services/loadtest/report/report.ts';
import { startLoadTest } from '../support/load-test-process.ts';
import type { Bench, BenchContext, BenchResult, Goal } from './bench.ts';
import type { RunningServer } from './servers/contender.ts';
import { startPublisher } from './servers/contenders.ts';
import { PING_INTERVAL_S, startRelayCluster } from './servers/relay-cluster.ts';
import { collect, ratios, type Samples, showSummary, summarize } from './statistics.ts';
import { SMALL_YOUNG_GENERATION } from './test-bed.ts';

const CLIENTS = 1_000_000;
/** Below the limit of open files per process in many systems. */
const CLIENTS_PER_SERVER = 18_000;
/** In seconds, for all clients; a bare server of the same run may raise them. */
const GOALS = [
  { column: 'connected, s', state: 'connected', seconds: 120 },
  { column: '100 % notified, s', state: 'notified', seconds: 15 },
] as const;
const MOST_RELATIVE_TO_BARE = 1.2;
const COLUMNS = ['connected, s', '50 % notified, s', '99 % notified, s', '100 % notified, s'] as const;
const CPU = 'CPU of the servers per client, µs';

/** Servers and the address of their webhook. */
interface Servers {
  readonly servers: readonly RunningServer[];
  readonly webhookUrl: string;
  stop(): Promise<void>;
}

type StartServers = (options: { redisUrl: string; count: number; token: string }) => Promise<Servers>;

/** Starts bare servers, and the least that can be called a webhook: it sends each update to all of them. */
const startBare: StartServers = async ({ redisUrl, count }) => {
  const servers: RunningServer[] = [];
  const webhook = createServer(async (request, response) => {
    const { topics, data } = (await json(request)) as { topics: string[]; data: unknown };
    const updates = topics.map((topic) => ({ topic, version: Date.now() * 1000 }));
    for (const { topic } of updates) await Promise.all(servers.map((server) => server.publish(topic, data)));
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ updates }));
  }).listen(0, '127.0.0.1');
  const stop = async () => {
    webhook.close();
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    await once(webhook, 'listening');
    const options = { redisUrl, nodeArgs: SMALL_YOUNG_GENERATION, pingIntervalS: PING_INTERVAL_S };
    while (servers.length < count) servers.push(await startPublisher('uws-server.ts', options));
  } catch (error) {
    await stop();
    throw error;
  }
  const { port } = webhook.address() as AddressInfo;
  return { servers, webhookUrl: `http://127.0.0.1:${port}/webhook`, stop };
};

const startRelays: StartServers = async ({ redisUrl, count, token }) => {
  const cluster = await startRelayCluster({ redisUrl, nodeArgs: SMALL_YOUNG_GENERATION });
  try {
    const webhook = await cluster.addWebhook({ WEBHOOK_TOKENS: token });
    const servers: RunningServer[] = [];
    while (servers.length < count) servers.push(await cluster.addRelay());
    return { servers, webhookUrl: `http://127.0.0.1:${webhook.port}/webhook`, stop: () => cluster.stop() };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
};

const SERVERS: Readonly<Record<string, StartServers>> = {
  'bare uWebSockets.js': startBare,
  Heliograph: startRelays,
};
const [BARE, OURS] = Object.keys(SERVERS) as [string, string];

/** Connects all clients as fast as they can, and publishes one update to them. */
async function loadTest({ servers, webhookUrl }: Servers, { clients, token }: { clients: number; token: string }) {
  const relays = servers.map(({ port }) => `http://127.0.0.1:${port}`).join();
  const limits = 'failed=0%,lost=0%,publish-failed=0%,behind-120s=0%';
  const { progress, report } = await startLoadTest(
    [
      ...['--relay', relays, '--webhook', webhookUrl, '--json', '-'],
      ...['--clients', String(clients), '--ramp', '0s', '--rate', '0.1', '--duration', '10s', '--threshold', limits],
    ],
    { WEBHOOK_TOKEN: token },
  ).ended;
  if (!report) throw new Error(`the load test has no report: ${progress}`);
  const missed = report.thresholds.filter(({ passed }) => !passed).map(({ name, value }) => `${name}: ${value}`);
  if (missed.length > 0) throw new Error(`not all clients were notified: ${missed.join(', ')}`);
  return report;
}

function secondsOf({ clients, notified }: Report): Readonly<Record<(typeof COLUMNS)[number], number>> {
  const seconds = (ms = Number.NaN) => ms / 1000;
  return {
    'connected, s': clients.opened / clients.handshakesPerS,
    '50 % notified, s': seconds(notified.p50),
    '99 % notified, s': seconds(notified.p99),
    '100 % notified, s': seconds(notified.p100),
  };
}

async function run({ redis, quick, progress }: BenchContext): Promise<BenchResult> {
  const clients = quick ? CLIENTS / 20 : CLIENTS;
  const count = Math.ceil(clients / CLIENTS_PER_SERVER);
  const samples: Samples = {};
  for (const [name, start] of Object.entries(SERVERS)) {
    progress(`starting ${count} processes of ${name}`);
    const token = randomBytes(18).toString('base64url');
    const servers = await start({ redisUrl: redis.url, count, token });
    try {
      progress(`${clients} clients of ${name}`);
      const cpuUs = () => servers.servers.reduce((sum, { process }) => sum + process.cpuUs, 0);
      const beforeUs = cpuUs();
      const seconds = secondsOf(await loadTest(servers, { clients, token }));
      collect(samples, `${name}: ${CPU}`, (cpuUs() - beforeUs) / clients);
      for (const column of COLUMNS) collect(samples, `${name}: ${column}`, seconds[column]);
    } finally {
      await servers.stop();
    }
  }
  const of = (name: string, column: string) => samples[`${name}: ${column}`];
  const columns = [...COLUMNS, CPU];
  return {
    columns: [`${clients} clients`, ...columns],
    rows: [
      ...[BARE, OURS].map((name) => [name, ...columns.map((column) => showSummary(of(name, column), 1))]),
      [
        'relative to the baseline',
        ...columns.map((column) => showSummary(ratios(of(OURS, column), of(BARE, column)), 2)),
      ],
    ],
    goals: GOALS.map(({ column, state, seconds }): Goal => {
      const bare = MOST_RELATIVE_TO_BARE * summarize(of(BARE, column)).median;
      return {
        description: `seconds until ${clients} clients are ${state}`,
        atMost: Number(Math.max((seconds * clients) / CLIENTS, bare).toFixed(1)),
        measured: summarize(of(OURS, column)).median,
      };
    }),
    samples,
  };
}

export const MILLION: Bench = {
  name: 'million',
  description:
    'The time until a million clients are connected, and until all have one update, with servers, clients and publisher on this machine (50,000 with --quick)',
  isLong: true,
  run,
};
