import { inject } from 'vitest';
import { SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis-broker.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { describeBroker } from './broker-contract.ts';

describeBroker('Redis', async () => {
  const env = new EnvReader({ REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), PARTITIONS: '4' });
  const config = requireRedisConfig(env);
  const refuse = (error: Error) => {
    throw error;
  };
  return { connect: () => new RedisBroker({ config, report: SILENT_REPORT, refuse }), close: async () => {} };
});
