import { inject } from 'vitest';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis-broker.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { describeBroker } from './broker-contract.ts';

describeBroker('Redis', async () => {
  const config = { url: inject('redisUrl'), prefix: randomPrefix(), partitions: 4, timeoutMs: 2000 };
  const refuse = (error: Error) => {
    throw error;
  };
  return { connect: () => new RedisBroker({ config, report: SILENT_REPORT, refuse }), close: async () => {} };
});
