import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { readSentinelRules } from './readme-acl.ts';
import { askRedis } from './redis-admin.ts';
import { RedisProcess } from './redis-process.ts';

const NAME = 'heliograph';
const USERNAME = 'client';
const PASSWORD = 'the-password-of-the-servers';
const SENTINEL_PASSWORD = 'the-password-of-the-sentinels';
const CLIENT_PASSWORD = 'the-password-of-the-clients-of-sentinels';
/** The permissions that the page recommends. */
const SENTINEL_RULES = readSentinelRules();
const SENTINELS = 3;
const REPLICAS = 2;
/** The time after which a silent master counts as down, in milliseconds. */
const DOWN_AFTER_MS = 1000;

/** A master with two replicas, monitored by three Sentinels; all of them require passwords. */
export interface SentinelFixture {
  /** The environment of a service that uses it. */
  readonly env: Readonly<Record<string, string>>;
  readonly servers: readonly RedisProcess[];
  readonly sentinels: readonly RedisProcess[];
  /** Returns the server that the Sentinels name as master. */
  master(): Promise<RedisProcess>;
  stop(): Promise<void>;
}

/** Starts the servers; resolves once the replicas are in sync and the Sentinels know each other. */
export async function startSentinels(): Promise<SentinelFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'heliograph-sentinel-'));
  const servers: RedisProcess[] = [];
  const sentinels: RedisProcess[] = [];
  const stop = async () => {
    await Promise.all([...sentinels, ...servers].map((server) => server.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const server = { password: PASSWORD, args: ['--masterauth', PASSWORD] };
    const first = await RedisProcess.start(server);
    servers.push(first);
    for (let i = 0; i < REPLICAS; i += 1) {
      const args = [...server.args, '--replicaof', '127.0.0.1', String(first.port)];
      servers.push(await RedisProcess.start({ ...server, args }));
    }
    for (let i = 0; i < SENTINELS; i += 1) {
      const file = join(dir, `${i}.conf`);
      const lines = [
        `sentinel monitor ${NAME} 127.0.0.1 ${first.port} 2`,
        `sentinel auth-pass ${NAME} ${PASSWORD}`,
        `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${NAME} 5000`,
        `sentinel sentinel-pass ${SENTINEL_PASSWORD}`,
        `user ${USERNAME} on >${CLIENT_PASSWORD} &+switch-master ${SENTINEL_RULES}`,
      ];
      await writeFile(file, `${lines.join('\n')}\n`);
      sentinels.push(await RedisProcess.start({ args: [file, '--sentinel'], password: SENTINEL_PASSWORD }));
    }
    await eventually(async () => {
      for (const { url } of sentinels) await requireComplete(url);
      if (!/connected_slaves:2/.test(String(await askRedis(first.url, 'INFO', 'replication'))))
        throw new Error('a replica is not in sync yet');
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    env: {
      REDIS_SENTINELS: sentinels.map(({ port }) => `127.0.0.1:${port}`).join(','),
      REDIS_SENTINEL_NAME: NAME,
      REDIS_SENTINEL_USERNAME: USERNAME,
      REDIS_SENTINEL_PASSWORD: CLIENT_PASSWORD,
      REDIS_PASSWORD: PASSWORD,
    },
    servers,
    sentinels,
    async master() {
      const ports = await Promise.all(
        sentinels.map(({ url }) => askRedis(url, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)),
      );
      const port = Number((ports[0] as string[])[1]);
      const master = servers.find((server) => server.port === port);
      if (!master) throw new Error(`no server has port ${port}`);
      return master;
    },
    stop,
  };
}

async function requireComplete(sentinel: string): Promise<void> {
  const replicas = (await askRedis(sentinel, 'SENTINEL', 'REPLICAS', NAME)) as unknown[];
  const others = (await askRedis(sentinel, 'SENTINEL', 'SENTINELS', NAME)) as unknown[];
  if (replicas.length < REPLICAS || others.length < SENTINELS - 1)
    throw new Error('a Sentinel does not know all servers yet');
}
