import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Broker } from '../../services/shared/broker/broker.ts';
import { RedisKeys } from '../../services/shared/broker/redis/redis-keys.ts';
import { REGISTER_TTL_MS } from '../../services/shared/broker/retention.ts';
import { parseTopic } from '../../services/shared/update/topic.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const REDIS_URL = inject('redisUrl');

describeBroker('Redis', async () => redisBrokers({ REDIS_URL }));
describeReceipts('Redis', async () => redisBrokers({ REDIS_URL }));

describe('the membership of relays, after Redis lost it', () => {
  it('reports how many relays are missing until they register again or count as gone', async () => {
    const prefix = randomPrefix();
    const { connect } = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix });
    const relays = ['one', 'two', 'three'].map((name) => ({ name, broker: connect() }));
    const [one, two, three] = relays.map(
      ({ name, broker }) =>
        () =>
          broker.exchangeLoad(name, { connections: 7 }),
    );
    for (const { broker } of relays) await broker.start();
    for (const exchange of [one, two, three, one, two]) await exchange?.();
    const membership = async () => {
      const { relays: ids = [], missing } = (await relays[0]?.broker.receipts.membership()) ?? {};
      return { relays: [...ids].sort(), missing };
    };
    expect(await membership()).toEqual({ relays: ['one', 'three', 'two'], missing: 0 });

    await askRedis(REDIS_URL, 'DEL', `${prefix}:relays`);
    expect(await membership()).toEqual({ relays: [], missing: 1 });
    await one?.();
    expect(await membership()).toEqual({ relays: ['one'], missing: 2 });
    await two?.();
    await one?.();
    expect(await membership()).toEqual({ relays: ['one', 'two'], missing: 1 });
    await two?.();
    await one?.();
    await two?.();
    expect(await membership()).toEqual({ relays: ['one', 'two'], missing: 0 });
    await three?.();
    expect(await membership()).toEqual({ relays: ['one', 'three', 'two'], missing: 0 });
    for (const { broker } of relays) await broker.stop();
  });
});

describe('a register in Redis', () => {
  const prefix = randomPrefix();
  const topic = parseTopic('chat');
  let broker: Broker;
  beforeAll(async () => {
    broker = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix }).connect();
    await broker.start();
  });
  afterAll(() => broker?.stop());

  it('is kept for the retention by its version, even if the clock is behind the versions', async () => {
    for (const aheadMs of [0, 30 * 3600 * 1000]) {
      const seen = (Date.now() + aheadMs) * 1000;
      await broker.publish(topic, {}, { epoch: '', version: aheadMs === 0 ? 0 : seen });
      const leftMs = await askRedis(REDIS_URL, 'PTTL', new RedisKeys({ prefix, partitions: 4 }).register(topic));
      expect(Math.abs(Number(leftMs) - REGISTER_TTL_MS - aheadMs)).toBeLessThan(60_000);
    }
  });
});
