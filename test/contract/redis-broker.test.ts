import { inject } from 'vitest';
import { redisBrokers } from '../support/redis-brokers.ts';
import { describeBroker } from './broker-contract.ts';
import { describeReceipts } from './receipts-contract.ts';

describeBroker('Redis', async () => redisBrokers({ REDIS_URL: inject('redisUrl') }));
describeReceipts('Redis', async () => redisBrokers({ REDIS_URL: inject('redisUrl') }));
