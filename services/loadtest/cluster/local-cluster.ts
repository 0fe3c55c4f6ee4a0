import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TargetCluster } from '../options/options.ts';
import { parseTarget, type Target } from '../wire/target.ts';
import { findProgram, mainFile, type ServerProcess, startServer } from './child-process.ts';

/** A cluster started for one load test. */
export interface LocalCluster extends TargetCluster {
  readonly description: string;
  /** The bearer token of the webhook. */
  readonly token: string;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
/** Each starting process occupies a core for a moment. */
const STARTED_AT_ONCE = 4;

/** Returns the path of redis-server or valkey-server, without which there can be only one relay. */
export function findRedis(path: string): string | undefined {
  return findProgram('redis-server', path) ?? findProgram('valkey-server', path);
}

/** Starts Redis, a webhook and relays on the loopback interface; without a Redis or Valkey, one process in memory. */
export async function startLocalCluster(options: {
  relays: number;
  path: string;
  /** The interval of WebSocket pings, as a duration setting. */
  pingInterval: string;
  /** Aborts the start. */
  signal: AbortSignal;
}): Promise<LocalCluster> {
  const servers: ServerProcess[] = [];
  let dir: string | undefined;
  const token = randomBytes(18).toString('base64url');
  const common = {
    PATH: options.path,
    NODE_ENV: 'development',
    LOG_LEVEL: 'info',
    ADMIN_HOST: '127.0.0.1',
    ADMIN_PORT: '0',
    RELAY_HOST: '127.0.0.1',
    RELAY_PORT: '0',
    WEBHOOK_HOST: '127.0.0.1',
    WEBHOOK_PORT: '0',
    WEBHOOK_TOKENS: token,
    WEBHOOK_RATE: '0',
    WEBHOOK_STORAGE: '0B',
    CONNECTION_RATE: '0',
    MAX_LONG_POLLS: '0',
    MAX_RELAY_TOPICS: '0',
    PING_INTERVAL: options.pingInterval,
    // The clients are spread evenly; rebalancing would be measured as churn.
    REBALANCE: '0',
  };
  const start = (program: string, args: readonly string[], env: Record<string, string> = {}): ServerProcess => {
    const server = startServer({ program, args, env: { ...common, ...env }, signal: options.signal });
    servers.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  };
  try {
    const redis = findRedis(options.path);
    // Without Redis nothing is written: an image may have a read-only file system.
    if (redis) dir = await mkdtemp(join(tmpdir(), 'heliograph-loadtest-'));
    const cluster =
      redis && dir ? await startOnRedis({ redis, dir, relays: options.relays, start }) : await startInMemory(start);
    return { ...cluster, token, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Start = (program: string, args: readonly string[], env?: Record<string, string>) => ServerProcess;
type Started = Pick<LocalCluster, 'relays' | 'webhookUrl' | 'metricsUrls' | 'description'>;

async function startOnRedis(deps: { redis: string; dir: string; relays: number; start: Start }): Promise<Started> {
  const { redis, start } = deps;
  const port = await startRedis(deps);
  const startRole = (role: string) =>
    start(process.execPath, nodeArgs(role), { REDIS_URL: `redis://127.0.0.1:${port}` });
  const webhookPort = await portOf(startRole('webhook'));
  const relays: Target[] = [];
  const metricsUrls: string[] = [];
  while (relays.length < deps.relays) {
    const count = Math.min(STARTED_AT_ONCE, deps.relays - relays.length);
    for (const relay of Array.from({ length: count }, () => startRole('relay'))) {
      relays.push(loopback(await portOf(relay)));
      metricsUrls.push(metricsUrl(await adminPortOf(relay)));
    }
  }
  await Promise.all(metricsUrls.map(waitUntilReady));
  const description = `${basename(redis)}, a webhook and ${relays.length} relay${relays.length === 1 ? '' : 's'}, started on this machine`;
  return { relays, metricsUrls, webhookUrl: `http://127.0.0.1:${webhookPort}/webhook`, description };
}

/** Starts Redis, which cannot listen on port 0. Another process may take the chosen port first: then tries another one. */
async function startRedis(deps: { redis: string; dir: string; start: Start }): Promise<number> {
  const { redis, dir, start } = deps;
  for (;;) {
    const port = await freePort();
    const server = start(redis, ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '']);
    const isListening = await server.waitForOutput((output) => {
      if (/Ready to accept connections/.test(output)) return true;
      return /Address already in use/.test(output) ? false : undefined;
    }, START_TIMEOUT_MS);
    if (isListening) return port;
  }
}

async function startInMemory(start: Start): Promise<Started> {
  const server = start(process.execPath, nodeArgs('standalone'), { CHAT_DB: ':memory:', CHAT_PORT: '0' });
  const find = (pattern: RegExp) =>
    server.waitForOutput((output) => {
      const digits = pattern.exec(output)?.[1];
      return digits === undefined ? undefined : Number(digits);
    }, START_TIMEOUT_MS);
  const relayPort = await find(/ws:\/\/localhost:(\d+)\/ws/);
  const webhookPort = await find(/http:\/\/localhost:(\d+)\/webhook/);
  const adminUrl = metricsUrl(await adminPortOf(server));
  await waitUntilReady(adminUrl);
  return {
    relays: [loopback(relayPort)],
    metricsUrls: [adminUrl],
    webhookUrl: `http://127.0.0.1:${webhookPort}/webhook`,
    description:
      'webhook and relay in one process, in memory, started on this machine (neither redis-server nor valkey-server found)',
  };
}

/** Passes on the Node.js arguments of this process, which define how sources are loaded; V8's are those of the image. */
function nodeArgs(role: string): readonly string[] {
  return [...process.execArgv, '--max-semi-space-size=1', mainFile(role)];
}

/** Returns the port of a service from its log: the first that is logged, except that of the admin server. */
function portOf(server: ServerProcess): Promise<number> {
  return loggedPort(server, ({ msg }) => !msg.includes('admin server'));
}

function adminPortOf(server: ServerProcess): Promise<number> {
  return loggedPort(server, ({ msg }) => msg.includes('admin server'));
}

function loggedPort(server: ServerProcess, matches: (line: { msg: string }) => boolean): Promise<number> {
  return server.waitForOutput((output) => {
    for (const text of output.split('\n').slice(0, -1)) {
      const line = text.startsWith('{') ? (JSON.parse(text) as { msg: string; port?: number }) : undefined;
      if (line?.port !== undefined && matches(line)) return line.port;
    }
    return undefined;
  }, START_TIMEOUT_MS);
}

function loopback(port: number): Target {
  return parseTarget(`http://127.0.0.1:${port}`) as Target;
}

function metricsUrl(port: number): string {
  return `http://127.0.0.1:${port}/metrics`;
}

async function waitUntilReady(url: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const ready = await fetch(url.replace('/metrics', '/readyz')).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
    if (performance.now() > deadline) throw new Error(`the process at ${url} did not become ready`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
