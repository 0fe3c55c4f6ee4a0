import { randomUUID } from 'node:crypto';
import { createRedisClient, type RedisTarget } from '../../shared/broker/redis/redis-client.ts';
import { formatAddress } from '../../shared/broker/redis/redis-slot-map.ts';
import type { RedisConfig } from '../../shared/config/redis-config.ts';
import type { Check } from './check.ts';

type RedisClient = ReturnType<typeof createRedisClient>;
type Result = Omit<Check, 'name'>;

/** The oldest version that the tests run with, and that sharded pub/sub of Redis Cluster needs. */
const OLDEST_MAJOR_VERSION = 7;
/** Delivery latencies are from the clock of Redis to that of a relay. */
const MAX_SKEW_MS = 500;

/** Checks the server, or each configured node of Redis Cluster. Writes nothing. */
export async function checkRedis(config: RedisConfig): Promise<readonly Check[]> {
  const { servers } = config;
  const targets: readonly RedisTarget[] = servers.kind === 'cluster' ? servers.nodes : ['configured'];
  const checks = targets.map(async (target): Promise<readonly Check[]> => {
    const results = await checkServer(config, target);
    if (target === 'configured') return results;
    return results.map((result) => ({ ...result, text: `${formatAddress(target)}: ${result.text}` }));
  });
  return (await Promise.all(checks)).flat();
}

async function checkServer(config: RedisConfig, target: RedisTarget): Promise<readonly Check[]> {
  const clients = [1, 2].map(() => createRedisClient(config, target, 'heliograph-doctor'));
  const [redis, subscriber] = clients as [RedisClient, RedisClient];
  try {
    const isUsable = await check('redis', async () => {
      await Promise.all(clients.map((client) => untilReady(client, config.timeoutMs)));
      return await checkVersion(redis, config);
    });
    if (isUsable.status === 'fail') return [isUsable];
    return [
      isUsable,
      await check('eviction', () => checkEviction(redis)),
      await check('clock', () => checkClock(redis)),
      await check('pub/sub', () => checkRoundTrip({ publisher: redis, subscriber, config })),
    ];
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function check(name: string, run: () => Promise<Result>): Promise<Check> {
  try {
    return { name, ...(await run()) };
  } catch (error) {
    return { name, status: 'fail', text: error instanceof Error ? error.message : String(error) };
  }
}

/** Rejects with the reason if the first attempt fails: the client itself would go on forever. */
async function untilReady(redis: RedisClient, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no reply in time')), 2 * timeoutMs);
    redis.once('ready', resolve);
    redis.once('error', reject);
    redis.connect().catch(() => {}); // `error` has the reason
  }).finally(() => clearTimeout(timer));
}

async function checkVersion(redis: RedisClient, config: RedisConfig): Promise<Result> {
  const info = `${await redis.info('server')}\n${await redis.info('replication')}`;
  const version = /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown';
  const valkey = /valkey_version:(\S+)/.exec(info)?.[1];
  const server = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`;
  if (config.servers.kind !== 'cluster' && !info.includes('role:master')) {
    return { status: 'fail', text: `${server} is a replica: name its master` };
  }
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR_VERSION) return { status: 'ok', text: server };
  const isCluster = config.servers.kind === 'cluster';
  return {
    status: isCluster ? 'fail' : 'warn',
    text: `${server} is older than ${OLDEST_MAJOR_VERSION}.0, ${isCluster ? 'which Redis Cluster needs' : 'the oldest version that is tested'}`,
  };
}

async function checkEviction(redis: RedisClient): Promise<Result> {
  const policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1];
  if (policy === undefined) return { status: 'warn', text: 'Redis does not say its maxmemory-policy' };
  if (policy === 'noeviction') return { status: 'ok', text: 'maxmemory-policy noeviction' };
  return { status: 'warn', text: `maxmemory-policy ${policy} may drop registers: set noeviction` };
}

async function checkClock(redis: RedisClient): Promise<Result> {
  const before = Date.now();
  const [seconds = 0, microseconds = 0] = (await redis.time()).map(Number);
  const skewMs = Math.round((before + Date.now()) / 2 - (seconds * 1000 + microseconds / 1000));
  const text = `this machine is ${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} Redis`;
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return { status: 'ok', text };
  return { status: 'warn', text: `${text}: measured latencies are wrong by as much` };
}

/** Sends a message to itself, on a channel that the documented ACL user may use. */
async function checkRoundTrip(deps: {
  publisher: RedisClient;
  subscriber: RedisClient;
  config: RedisConfig;
}): Promise<Result> {
  const { publisher, subscriber, config } = deps;
  const channel = `${config.prefix}:doctor:${randomUUID()}`;
  let timer: NodeJS.Timeout | undefined;
  const received = new Promise<void>((resolve, reject) => {
    subscriber.once('message', () => resolve());
    timer = setTimeout(() => reject(new Error('a message did not arrive in time')), config.timeoutMs);
  });
  received.catch(() => {}); // awaited only after the subscription
  try {
    await subscriber.subscribe(channel);
    const sentAtMs = performance.now();
    await publisher.publish(channel, '');
    await received;
    return { status: 'ok', text: `round trip in ${(performance.now() - sentAtMs).toFixed(1)} ms` };
  } finally {
    clearTimeout(timer);
  }
}
