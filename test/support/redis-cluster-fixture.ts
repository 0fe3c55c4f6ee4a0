import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { readReadmeAcl } from './readme-acl.ts';
import { askRedis } from './redis-admin.ts';
import { RedisProcess } from './redis-process.ts';

const SLOTS = 16_384;
/** The time after which a silent node counts as down, in milliseconds. */
const NODE_TIMEOUT_MS = 1500;

/** A Redis Cluster; services use the recommended ACL user. */
export interface RedisClusterFixture {
  /** The environment of a service that uses it. */
  readonly env: Readonly<Record<string, string>>;
  readonly nodes: readonly RedisProcess[];
  /** Returns the master that holds a slot. */
  masterOf(slot: number): Promise<RedisProcess>;
  /** Returns the replicas of a master. */
  replicasOf(master: RedisProcess): Promise<RedisProcess[]>;
  /** Moves the keys of a slot to another master, as the first part of `moveSlot`: the slot still belongs to the first one. */
  moveKeys(slot: number, to: RedisProcess): Promise<void>;
  /** Moves a slot with its keys to another master, as `redis-cli --cluster reshard` does. */
  moveSlot(slot: number, to: RedisProcess): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the cluster, by default of three masters with one replica each. Resolves once every node reports it as ok and every
 * replica is in sync.
 */
export async function startRedisCluster(
  options: { masters?: number; replicas?: boolean } = {},
): Promise<RedisClusterFixture> {
  const { masters = 3, replicas = true } = options;
  const nodes: RedisProcess[] = [];
  const { rules, username, password } = readReadmeAcl({ cluster: true, stats: true });
  const user = ['--user', username, ...rules];
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    for (let i = 0; i < (replicas ? 2 : 1) * masters; i += 1) {
      const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)];
      nodes.push(await RedisProcess.start({ args: [...args, ...user, '--cluster-port', String(await freePort())] }));
    }
    await join(nodes, masters);
  } catch (error) {
    await stop();
    throw error;
  }
  const named = async (name: (line: string[]) => boolean): Promise<RedisProcess[]> => {
    const lines = await clusterNodes(await livingPort(nodes));
    const ports = lines.filter(name).map((line) => Number(/:(\d+)@/.exec(line[1] ?? '')?.[1]));
    return nodes.filter(({ port }) => ports.includes(port));
  };
  const masterOf = async (slot: number) => {
    const [master] = await named((line) => line.slice(8).some((range) => holds(range, slot)));
    if (!master) throw new Error(`slot ${slot} has no master`);
    return master;
  };
  const moveKeys = async (slot: number, to: RedisProcess) => {
    const from = await masterOf(slot);
    await askRedis(to.port, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from.port));
    await askRedis(from.port, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to.port));
    for (;;) {
      const keys = (await askRedis(from.port, 'CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
      if (keys.length === 0) break;
      await askRedis(from.port, 'MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
    }
  };
  return {
    env: {
      REDIS_CLUSTER_NODES: nodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
      REDIS_USERNAME: username,
      REDIS_PASSWORD: password,
    },
    nodes,
    masterOf,
    async replicasOf(master) {
      const id = await idOf(master.port);
      return named((line) => line[3] === id);
    },
    moveKeys,
    async moveSlot(slot, to) {
      const from = await masterOf(slot);
      await moveKeys(slot, to);
      // The target, the source, then the other masters, which would otherwise redirect clients wrongly for a while.
      const others = (await named((line) => line[2]?.includes('master') === true)).filter(
        (node) => node !== to && node !== from,
      );
      for (const node of [to, from, ...others]) {
        await askRedis(node.port, 'CLUSTER', 'SETSLOT', slot, 'NODE', await idOf(to.port));
      }
    },
    stop,
  };
}

/** Makes the first nodes masters, and the others their replicas. */
async function join(nodes: readonly RedisProcess[], masters: number): Promise<void> {
  const [first] = nodes as [RedisProcess];
  for (const [i, { port }] of nodes.slice(0, masters).entries()) {
    const [from, to] = [i, i + 1].map((n) => Math.floor((n * SLOTS) / masters)) as [number, number];
    await askRedis(port, 'CLUSTER', 'ADDSLOTSRANGE', from, to - 1);
    await askRedis(port, 'CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
  }
  for (const { port } of nodes.slice(1)) {
    const bus = /@(\d+)/.exec((await clusterNodes(port))[0]?.[1] ?? '')?.[1];
    await askRedis(first.port, 'CLUSTER', 'MEET', '127.0.0.1', port, Number(bus));
  }
  for (const [i, { port }] of nodes.entries()) {
    if (i < masters) continue;
    const master = await idOf((nodes[i - masters] as RedisProcess).port);
    await eventually(() => askRedis(port, 'CLUSTER', 'REPLICATE', master)); // once it knows its master
  }
  await eventually(async () => {
    for (const [i, { port }] of nodes.entries()) {
      if (!String(await askRedis(port, 'CLUSTER', 'INFO')).includes('cluster_state:ok'))
        throw new Error('the cluster is not ok');
      const following =
        i < masters || /master_link_status:up/.test(String(await askRedis(port, 'INFO', 'replication')));
      const known = (await clusterNodes(port)).filter((line) => line[2]?.includes('slave')).length;
      if (!following || known < nodes.length - masters) throw new Error('a replica is not in sync yet');
    }
  });
}

/** Returns the fields of the lines of CLUSTER NODES: id, address, flags, master, and slots from the ninth on. */
async function clusterNodes(port: number): Promise<string[][]> {
  const text = String(await askRedis(port, 'CLUSTER', 'NODES'));
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}

async function idOf(port: number): Promise<string> {
  return String(await askRedis(port, 'CLUSTER', 'MYID'));
}

async function livingPort(nodes: readonly RedisProcess[]): Promise<number> {
  for (const { port } of nodes) {
    const state = await askRedis(port, 'CLUSTER', 'INFO').catch(() => '');
    if (String(state).includes('cluster_state:ok')) return port;
  }
  throw new Error('no node reports the cluster as ok');
}

function holds(range: string, slot: number): boolean {
  const [first, last] = range.split('-').map(Number) as [number, number?];
  return first <= slot && slot <= (last ?? first);
}
