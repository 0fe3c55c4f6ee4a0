import { describe, expect, inject, it } from 'vitest';
import { randomPrefix } from '../support/random-prefix.ts';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

const REDIS_URL = inject('redisUrl');

describeBroker('Redis', async () => redisBrokers({ REDIS_URL }));
describeReceipts('Redis', async () => redisBrokers({ REDIS_URL }));

describe('the census of relays, where Redis has lost them', () => {
  it('says how many are missing until they are back, or do not come back', async () => {
    const prefix = randomPrefix();
    const { connect } = redisBrokers({ REDIS_URL, HELIOGRAPH_PREFIX: prefix });
    const relays = ['one', 'two', 'three'].map((name) => ({ name, broker: connect() }));
    const [one, two, three] = relays.map(
      ({ name, broker }) =>
        () =>
          broker.exchangeLoads(name, { connections: 7 }),
    );
    for (const { broker } of relays) await broker.start();
    for (const exchange of [one, two, three, one, two]) await exchange?.();
    const census = async () => {
      const { names = [], missing } = (await relays[0]?.broker.receipts.relays()) ?? {};
      return { names: [...names].sort(), missing };
    };
    expect(await census()).toEqual({ names: ['one', 'three', 'two'], missing: 0 });

    await askRedis(REDIS_URL, 'DEL', `${prefix}:relays`);
    expect(await census()).toEqual({ names: [], missing: 1 });
    await one?.();
    expect(await census()).toEqual({ names: ['one'], missing: 2 });
    await two?.();
    await one?.();
    expect(await census()).toEqual({ names: ['one', 'two'], missing: 1 });
    await two?.();
    await one?.();
    await two?.();
    expect(await census()).toEqual({ names: ['one', 'two'], missing: 0 });
    await three?.();
    expect(await census()).toEqual({ names: ['one', 'three', 'two'], missing: 0 });
    for (const { broker } of relays) await broker.stop();
  });
});
