import type { RedisConfig } from '../../config/redis-config.ts';
import type { BrokerReport } from '../broker-report.ts';
import { RedisAgreement } from './redis-agreement.ts';
import { RedisCluster } from './redis-cluster.ts';
import type { RedisKeys } from './redis-keys.ts';
import { RedisSingle } from './redis-single.ts';
import type { RedisTopology, TopologyHandler } from './redis-topology.ts';

/** Creates the connections to Redis as it is run, without starting them. */
export function createRedisTopology(deps: {
  config: RedisConfig;
  keys: RedisKeys;
  report: BrokerReport;
  refuse: (error: Error) => void;
  handler: TopologyHandler;
}): RedisTopology {
  const { config, keys, report, refuse } = deps;
  const { partitions, servers } = config;
  const sharded = servers.kind === 'cluster';
  const agreement = new RedisAgreement({ key: keys.config(), partitions, sharded, report, refuse });
  if (servers.kind === 'cluster') return new RedisCluster({ ...deps, agreement, seeds: servers.nodes });
  return new RedisSingle({ ...deps, agreement });
}
