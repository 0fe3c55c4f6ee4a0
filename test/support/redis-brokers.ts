import { type BrokerReport, SILENT_REPORT } from '../../services/shared/broker/broker-report.ts';
import { RedisBroker } from '../../services/shared/broker/redis/redis-broker.ts';
import { EnvReader } from '../../services/shared/config/env-reader.ts';
import { requireRedisConfig } from '../../services/shared/config/redis-config.ts';
import { randomPrefix } from './random-prefix.ts';

/** Creates brokers of one cluster, as its processes would, in the Redis given by the environment. */
export function redisBrokers(
  env: Readonly<Record<string, string>>,
  deps: { monotonicMs?: () => number; restoreTimeMs?: number; report?: BrokerReport } = {},
): {
  connect(): RedisBroker;
  close(): Promise<void>;
} {
  const reader = new EnvReader({ HELIOGRAPH_PREFIX: randomPrefix(), PARTITIONS: '4', ...env });
  const config = requireRedisConfig(reader);
  reader.finish();
  const abort = (error: Error) => {
    throw error;
  };
  const parts = { config, report: SILENT_REPORT, abort, restoreTimeMs: 0, ...deps };
  return { connect: () => new RedisBroker(parts), close: async () => {} };
}
