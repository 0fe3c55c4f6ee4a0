import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LOSS, NetworkNamespace, whyNoNamespaces } from '../support/network-namespace.ts';
import { CLIENTS_OF_A_RELAY, ObservedCluster } from '../support/observed-cluster.ts';
import { askRedis } from '../support/redis-admin.ts';
import { RedisProcess } from '../support/redis-process.ts';

const whyNot = whyNoNamespaces();

describe(`updates arrive, and no client is wrongly considered current, between hosts${whyNot}`, () => {
  let space: NetworkNamespace;
  let redis: RedisProcess;
  let cluster: ObservedCluster;
  let port: string;
  beforeAll(async () => {
    if (whyNot) return;
    space = await NetworkNamespace.create();
    redis = await RedisProcess.start({ addresses: [space.gateway] });
    port = String(redis.port);
    const far = { env: { REDIS_URL: `redis://${space.gateway}:${port}` }, space };
    cluster = await ObservedCluster.start([{ env: { REDIS_URL: redis.url } }, far]);
  });
  afterEach(() => space?.repair());
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await redis?.stop();
    space?.[Symbol.dispose]();
  });

  it.skipIf(whyNot)('while no packets reach Redis', async () => {
    const { stale, refused } = await cluster.endure(
      'no packets to Redis',
      () => space.drop('OUTPUT', '-p', 'tcp', '--dport', port),
      () => space.repair(),
    );
    expect(stale).toBeGreaterThanOrEqual(CLIENTS_OF_A_RELAY);
    expect(refused).toBeGreaterThan(0);
  });

  it.skipIf(whyNot)('while no packets come back from Redis', async () => {
    const { stale, refused } = await cluster.endure(
      'no packets from Redis',
      () => space.drop('INPUT', '-p', 'tcp', '--sport', port),
      () => space.repair(),
    );
    expect(stale).toBeGreaterThanOrEqual(CLIENTS_OF_A_RELAY);
    expect(refused).toBeGreaterThan(0);
  });

  it.skipIf(whyNot)('while 30 % of the packets to and from Redis are lost', () =>
    cluster.endure(
      '30 % of the packets lost',
      () => {
        space.drop('OUTPUT', '-p', 'tcp', '--dport', port, ...LOSS);
        space.drop('INPUT', '-p', 'tcp', '--sport', port, ...LOSS);
      },
      () => space.repair(),
    ),
  );

  it.skipIf(whyNot)('over a link with small packets', () =>
    cluster.endure(
      'packets of at most 576 bytes',
      () => space.setMtu(576),
      () => space.repair(),
    ),
  );

  it.skipIf(whyNot)('while a router drops large packets without saying so', () =>
    cluster.endure(
      'packets above 300 bytes dropped',
      () => {
        space.drop('OUTPUT', '-p', 'tcp', '--dport', port, '-m', 'length', '--length', '300:65535');
        space.drop('INPUT', '-p', 'tcp', '--sport', port, '-m', 'length', '--length', '300:65535');
      },
      () => space.repair(),
    ),
  );

  it.skipIf(whyNot)('while only the connection of a subscription carries nothing', async () => {
    const clients = String(await askRedis(redis.port, 'CLIENT', 'LIST', 'TYPE', 'pubsub'));
    const ports = [...clients.matchAll(/ addr=([\d.]+):(\d+)/g)].flatMap(([, address, own = '']) =>
      address === space.address ? [own] : [],
    );
    expect(ports).toHaveLength(1);
    const replaced = () => cluster.relays[1]?.metric('relay_subscriptions_replaced_total');
    const before = await replaced();
    await cluster.endure(
      'a silent subscription',
      () => {
        for (const own of ports) {
          space.drop('OUTPUT', '-p', 'tcp', '--sport', own);
          space.drop('INPUT', '-p', 'tcp', '--dport', own);
        }
      },
      () => space.repair(),
    );
    expect(await replaced()).toBeGreaterThan(before ?? Number.NaN);
  });
});
