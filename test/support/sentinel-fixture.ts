import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { askRedis } from './redis-admin.ts';
import { RedisProcess } from './redis-process.ts';

const NAME = 'heliograph';
const SENTINELS = 3;
const REPLICAS = 2;
/** After how long a silent master counts as down, in milliseconds. */
export const DOWN_AFTER_MS = 1000;

/** A master with two replicas, watched by three Sentinels. */
export interface SentinelFixture {
  /** What tells a service to use it. */
  readonly env: Readonly<Record<string, string>>;
  readonly servers: readonly RedisProcess[];
  /** The server that the Sentinels name as master. */
  master(): Promise<RedisProcess>;
  stop(): Promise<void>;
}

/** Starts them; resolves once the replicas follow and the Sentinels know each other. */
export async function startSentinels(): Promise<SentinelFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'heliograph-sentinel-'));
  const servers: RedisProcess[] = [];
  const sentinels: RedisProcess[] = [];
  const stop = async () => {
    await Promise.all([...sentinels, ...servers].map((server) => server.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const first = await RedisProcess.start();
    servers.push(first);
    for (let i = 0; i < REPLICAS; i += 1) {
      servers.push(await RedisProcess.start({ args: ['--replicaof', '127.0.0.1', String(first.port)] }));
    }
    for (let i = 0; i < SENTINELS; i += 1) {
      const file = join(dir, `${i}.conf`);
      await writeFile(file, '');
      const sentinel = await RedisProcess.start({ args: [file, '--sentinel'] });
      sentinels.push(sentinel);
      await askRedis(sentinel.port, 'SENTINEL', 'MONITOR', NAME, '127.0.0.1', first.port, 2);
      await askRedis(sentinel.port, 'SENTINEL', 'SET', NAME, 'down-after-milliseconds', DOWN_AFTER_MS);
      await askRedis(sentinel.port, 'SENTINEL', 'SET', NAME, 'failover-timeout', 5000);
    }
    await eventually(async () => {
      for (const { port } of sentinels) await requireComplete(port);
      if (!/connected_slaves:2/.test(String(await askRedis(first.port, 'INFO', 'replication'))))
        throw new Error('a replica does not follow yet');
    }, 20_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    env: {
      REDIS_SENTINELS: sentinels.map(({ port }) => `127.0.0.1:${port}`).join(','),
      REDIS_SENTINEL_NAME: NAME,
    },
    servers,
    async master() {
      const ports = await Promise.all(
        sentinels.map(({ port }) => askRedis(port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)),
      );
      const port = Number((ports[0] as string[])[1]);
      const master = servers.find((server) => server.port === port);
      if (!master) throw new Error(`no server has port ${port}`);
      return master;
    },
    stop,
  };
}

async function requireComplete(port: number): Promise<void> {
  const replicas = (await askRedis(port, 'SENTINEL', 'REPLICAS', NAME)) as unknown[];
  const others = (await askRedis(port, 'SENTINEL', 'SENTINELS', NAME)) as unknown[];
  if (replicas.length < REPLICAS || others.length < SENTINELS - 1) throw new Error('a Sentinel does not know all yet');
}
