import { afterAll, beforeAll, expect, it } from 'vitest';
import { askRedis } from '../support/redis-admin.ts';
import { redisBrokers } from '../support/redis-brokers.ts';
import { redisStatsStores } from '../support/redis-stats-stores.ts';
import { type SentinelFixture, startSentinels } from '../support/sentinel-fixture.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';
import { describeStatsStore } from './stats-store-contract.ts';

let sentinel: SentinelFixture;
beforeAll(async () => {
  sentinel = await startSentinels();
});
afterAll(() => sentinel?.stop());

describeBroker('Sentinel', async () => redisBrokers(sentinel.env));
describeReceipts('Sentinel', async () => redisBrokers(sentinel.env));

it('never asks Sentinels for what their user is not allowed to do', async () => {
  for (const { url } of sentinel.sentinels) expect(await askRedis(url, 'ACL', 'LOG')).toEqual([]);
});

describeStatsStore('Sentinel', async () => redisStatsStores(sentinel.env));
