/**
 * What call statistics cost: the CPU time of a webhook, and of a relay with clients, for the same updates, with the
 * recorder off, at its default, and recording everything. All three run at the same time and get their updates by
 * turns, so that whatever else the machine does falls on all of them.
 *
 *   npm run build && node --import ./test/support/typescript-loader.mjs test/bench/stats-cost.ts [seconds]
 */
import { setTimeout as wait } from 'node:timers/promises';
import { randomPrefix } from '../support/random-prefix.ts';
import { RedisProcess } from '../support/redis-process.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { WsClient } from '../support/ws-client.ts';

const SECONDS = Number(process.argv[2] ?? 60);
const PER_SECOND = 100;
const CLIENTS = 200;
const WARM_UP_SECONDS = 15;
/** The time is taken for each of so many parts of it, so that one bad moment does not decide. */
const PARTS = 10;

const MODES = {
  off: {},
  default: { STATS_TOKEN: 'token' },
  always: { STATS_TOKEN: 'token', STATS_SAMPLE_RATE: '1' },
} as const;

type Mode = keyof typeof MODES;

const MODE_NAMES = Object.keys(MODES) as Mode[];

interface Cluster {
  readonly webhook: ServiceProcess;
  readonly relay: ServiceProcess;
  readonly clients: readonly WsClient[];
}

async function startCluster(mode: Mode, redis: RedisProcess): Promise<Cluster> {
  const env = { REDIS_URL: redis.url, HELIOGRAPH_PREFIX: randomPrefix(), LOG_LEVEL: 'error', ...MODES[mode] };
  const webhook = await startService('webhook', { ...env, WEBHOOK_TOKENS: 'token', WEBHOOK_RATE: '0' });
  const relay = await startService('relay', { ...env, DRAIN_WINDOW: '0ms' });
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => WsClient.open(`ws://127.0.0.1:${relay.port}/ws?topic=chat`)),
  );
  for (const { socket } of clients) socket.removeAllListeners('message');
  return { webhook, relay, clients };
}

async function publish(clusters: readonly Cluster[], seconds: number): Promise<void> {
  const begun = performance.now();
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < seconds * PER_SECOND; i += 1) {
    for (const { webhook } of clusters) {
      const id = { 'webhook-id': `m${Math.random()}` };
      const headers = { 'content-type': 'application/json', authorization: 'Bearer token', ...id };
      const call = { method: 'POST', headers, body: JSON.stringify({ topic: 'chat', data: { i } }) };
      calls.push(fetch(`http://127.0.0.1:${webhook.port}/webhook`, call).then((answer) => answer.arrayBuffer()));
    }
    const dueMs = begun + ((i + 1) * 1000) / PER_SECOND;
    if (dueMs > performance.now()) await wait(dueMs - performance.now());
  }
  await Promise.all(calls);
}

/** The CPU time that each process has taken so far, in microseconds. */
function cpuOf(clusters: readonly Cluster[]): Promise<number[]> {
  const services = clusters.flatMap(({ webhook, relay }) => [webhook, relay]);
  return Promise.all(services.map(async (service) => (await service.metric('process_cpu_seconds_total')) * 1e6));
}

const median = (numbers: number[]) => numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0;

const redis = await RedisProcess.start();
const clusters = await Promise.all(MODE_NAMES.map((mode) => startCluster(mode, redis)));
await publish(clusters, WARM_UP_SECONDS);
const parts: number[][] = [];
for (let part = 0; part < PARTS; part += 1) {
  const before = await cpuOf(clusters);
  await publish(clusters, SECONDS / PARTS);
  const after = await cpuOf(clusters);
  parts.push(after.map((us, i) => ((us - (before[i] ?? 0)) * PARTS) / (SECONDS * PER_SECOND)));
}
const memory = await Promise.all(
  clusters.map(async ({ webhook, relay }) => {
    const bytes = [webhook, relay].map((service) => service.metric('process_resident_memory_bytes'));
    return (await Promise.all(bytes)).map((size) => `${(size / 2 ** 20).toFixed(0)} MiB`).join(', ');
  }),
);
for (const { webhook, relay, clients } of clusters) {
  for (const client of clients) client.terminate();
  await Promise.all([webhook.stop(), relay.stop()]);
}
await redis.stop();

const row = (...cells: string[]) => process.stdout.write(`${cells.map((cell) => cell.padStart(20)).join('')}\n`);
process.stdout.write(
  `CPU time for an update, at ${PER_SECOND} a second and ${CLIENTS} clients; medians of ${PARTS} parts\n`,
);
row('recorder', 'webhook', 'relay', 'both, of a core', 'memory');
for (const [i, mode] of MODE_NAMES.entries()) {
  const of = (column: number) => median(parts.map((part) => part[column] ?? 0));
  /** Against what it was with the recorder off, in the same parts. */
  const more = (column: number) => {
    const ratio = median(parts.map((part) => (part[column] ?? 0) / (part[column % 2] ?? 1)));
    return i === 0 ? '' : ` (${ratio.toFixed(3)} x)`;
  };
  const [webhook, relay] = [2 * i, 2 * i + 1];
  const share = ((of(webhook) + of(relay)) * PER_SECOND) / 1e4;
  row(
    mode,
    `${of(webhook).toFixed(0)} µs${more(webhook)}`,
    `${of(relay).toFixed(0)} µs${more(relay)}`,
    `${share.toFixed(2)} %`,
    memory[i] ?? '',
  );
}
