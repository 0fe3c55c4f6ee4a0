import type { Fault } from './fault.ts';
import { RedisData } from './redis-data.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedShard } from './simulated-shard.ts';

/** Creates a fault that kills a master and restarts it with the given data, unless it was replaced meanwhile. */
function restarts(
  name: string,
  weight: number,
  data: (shard: SimulatedShard, random: SeededRandom) => RedisData | undefined,
): Fault {
  return {
    name,
    weight,
    maxMs: 6000,
    affectsRedis: true,
    begin({ cluster }, random) {
      const shard = random.pick(cluster.shards);
      const server = shard.master;
      const next = data(shard, random);
      if (!server.running || !next) return undefined;
      shard.kill();
      return {
        what: server.name,
        end() {
          if (shard.master === server && !server.running) shard.restart(next);
        },
      };
    },
  };
}

/** Returns the size of a clock step, in microseconds: small, above every interval, or above the retention. */
function clockStepUs(random: SeededRandom): number {
  const size = random.pick([50_000, 2_000_000, 100_000_000, 100_000_000, 50_000_000_000, 100_000_000_000]);
  return Math.round(random.between(-size, size));
}

/** Faults of Redis servers. */
export const REDIS_FAULTS: readonly Fault[] = [
  restarts('Redis restarts with its data', 2, (shard) => shard.master.data),
  restarts('Redis restarts from an old snapshot', 3, (shard, random) =>
    shard.snapshots.length > 0 ? random.pick(shard.snapshots).copy() : undefined,
  ),
  restarts('Redis restarts empty', 3, () => new RedisData()),
  {
    name: 'Redis saves a snapshot',
    weight: 4,
    maxMs: 0,
    begin({ cluster }, random) {
      const shard = random.pick(cluster.shards);
      shard.snapshot();
      return { what: shard.name };
    },
  },
  {
    name: 'Redis is flushed',
    weight: 2,
    affectsRedis: true,
    maxMs: 0,
    begin({ cluster }, random) {
      const shard = random.pick(cluster.shards);
      // FLUSHALL saves an empty snapshot, so there would be no older one to reload.
      if (!shard.master.responsive || shard.isReloading) return undefined;
      shard.flush();
      return { what: shard.name };
    },
  },
  {
    name: 'Redis loses the settings of the cluster',
    weight: 1,
    maxMs: 0,
    begin({ cluster }) {
      const { master } = cluster.shards[0] as SimulatedShard;
      if (!master.responsive) return undefined;
      master.write((data) => {
        data.config = undefined;
      });
      return { what: master.name };
    },
  },
  {
    name: 'Redis reloads older data in the same process',
    weight: 2,
    affectsRedis: true,
    maxMs: 3000,
    begin({ cluster }, random) {
      const shard = random.pick(cluster.shards);
      const server = shard.master;
      if (!server.responsive || shard.isReloading) return undefined;
      const older = server.data.copy();
      shard.isReloading = true;
      return {
        what: server.name,
        end() {
          shard.isReloading = false;
          if (shard.master === server && server.responsive) shard.reload(older);
        },
      };
    },
  },
  {
    name: 'a replication id changes',
    weight: 2,
    maxMs: 0,
    begin({ cluster }, random) {
      const server = random.pick(cluster.shards).master;
      server.replaceReplicationId();
      return { what: server.name };
    },
  },
  {
    name: 'Redis freezes',
    weight: 3,
    maxMs: 12_000,
    begin({ cluster }, random) {
      const server = random.pick(cluster.shards).master;
      if (!server.responsive) return undefined;
      server.frozen = true;
      return {
        what: server.name,
        end() {
          server.frozen = false;
        },
      };
    },
  },
  {
    name: 'a replica is promoted',
    weight: 3,
    affectsRedis: true,
    maxMs: 0,
    begin({ cluster }, random) {
      const shard = random.pick(cluster.shards);
      if (shard.isSplit) return undefined;
      shard.failOver([]);
      return { what: shard.master.name };
    },
  },
  {
    name: 'a failover causes a split brain',
    weight: 4,
    affectsRedis: true,
    maxMs: 10_000,
    begin({ cluster, relays, webhooks, time }, random) {
      const shard = random.pick(cluster.shards);
      if (shard.isSplit || !shard.master.running) return undefined;
      const names = [...relays, ...webhooks].map(({ process }) => process.name);
      const links = names.flatMap((name) => [`${name}/commands`, `${name}/subscriber`]);
      const staleLinks = random.some(links, 0.5);
      shard.failOver(staleLinks);
      for (const link of staleLinks) time.after(random.between(0, 10_000), () => shard.switchOver(link));
      return { what: `${shard.master.name} is promoted, unknown to ${staleLinks}`, end: () => shard.healSplit() };
    },
  },
  {
    name: "Redis's clock steps",
    weight: 4,
    affectsRedis: true,
    maxMs: 0,
    begin(simulation, random) {
      const server = random.pick(random.pick(simulation.cluster.shards).servers);
      simulation.clockSteppedAtMs = simulation.time.nowMs;
      const stepUs = clockStepUs(random);
      server.clockOffsetUs += stepUs;
      return { what: `${server.name} by ${stepUs / 1e6} s` };
    },
  },
];
