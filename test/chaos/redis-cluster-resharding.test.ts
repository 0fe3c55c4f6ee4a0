import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import { ChaosCluster } from '../support/chaos-cluster.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type RedisClusterFixture, startRedisCluster } from '../support/redis-cluster-fixture.ts';
import type { RedisProcess } from '../support/redis-process.ts';

describe('no acknowledged update is lost to a client', () => {
  const keys = new RedisKeys({ prefix: randomPrefix(), partitions: 16 });
  let redis: RedisClusterFixture;
  let cluster: ChaosCluster;
  beforeAll(async () => {
    redis = await startRedisCluster();
    cluster = await ChaosCluster.start({ env: redis.env });
  });
  afterAll(async () => {
    await cluster?.stop();
    await redis?.stop();
  });

  it('when slots of Redis Cluster move to another master and back, under publishing', async () => {
    const slots = [0, 5, 10, 15].map((partition) => keys.slot(partition));
    const homes = await Promise.all(slots.map((slot) => redis.masterOf(slot)));
    const masters = [...new Set(homes)];
    const outcome = await cluster.measure(
      'four slots moved away and back, twice',
      async () => {
        for (let round = 0; round < 2; round += 1) {
          for (const [i, slot] of slots.entries()) {
            const home = homes[i] as RedisProcess;
            const away = masters[(masters.indexOf(home) + 1) % masters.length] as RedisProcess;
            await redis.moveSlot(slot, away);
            await redis.moveSlot(slot, home);
          }
        }
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
    expect(masters.length).toBeGreaterThan(1);
  });

  it('when slots of Redis Cluster move to another master and stay there', async () => {
    const slots = [1, 6, 11].map((partition) => keys.slot(partition));
    const outcome = await cluster.measure(
      'three slots moved to another master',
      async () => {
        for (const slot of slots) {
          const home = await redis.masterOf(slot);
          await redis.moveSlot(slot, await redis.masterOf((slot + 6000) % 16_384));
          expect(await redis.masterOf(slot)).not.toBe(home);
        }
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  });

  it('when a master of Redis Cluster is killed with updates that its replica and every relay missed', async () => {
    const master = await redis.masterOf(keys.slot(0));
    const [replica] = (await redis.replicasOf(master)) as [RedisProcess];
    const outcome = await cluster.measure(
      'failover in Redis Cluster, from the kill of the master',
      async () => {
        replica.freeze();
        await cluster.publishWithoutSignals(await Promise.all([0, 5, 10, 15].map((p) => redis.masterOf(keys.slot(p)))));
        await master.kill();
        replica.thaw();
        cluster.resumeRelays();
      },
      { raisesFloor: true },
    );
    expect(outcome.behind).toBe(0);
  });
});
