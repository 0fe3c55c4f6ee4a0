import { AUDIT_INTERVAL_MS } from '../../services/relay/hub/repair.ts';
import {
  DATA_TTL_MS,
  DIGEST_LIMIT,
  RECENT_WINDOW_US,
  REGISTER_TTL_MS,
  RETENTION_US,
} from '../../services/shared/broker/retention.ts';
import type { Clock } from '../../services/shared/clock.ts';
import { goodConditions } from './network-conditions.ts';
import type { ScriptSettings } from './redis-scripts-model.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedCluster } from './simulated-broker.ts';
import { SimulatedShard } from './simulated-shard.ts';

/** The settings that `RedisScripts` passes to the scripts. */
export const REAL_SETTINGS: ScriptSettings = {
  registerTtlMs: REGISTER_TTL_MS,
  dataTtlMs: DATA_TTL_MS,
  retentionUs: RETENTION_US,
  recentWindowUs: RECENT_WINDOW_US,
  digestLimit: DIGEST_LIMIT,
};

/** Creates the servers of a cluster, without faults. */
export function createSimulatedCluster(deps: {
  clock: Clock;
  random: SeededRandom;
  partitions: number;
  shards: number;
  settings?: ScriptSettings;
  auditIntervalMs?: number;
  /** Receives the actions of the servers. */
  log?: (what: string) => void;
}): SimulatedCluster {
  const { clock, random, partitions } = deps;
  return {
    partitions,
    random,
    settings: deps.settings ?? REAL_SETTINGS,
    auditIntervalMs: deps.auditIntervalMs ?? AUDIT_INTERVAL_MS,
    network: goodConditions(),
    relaysRegistered: new Set(),
    shards: Array.from(
      { length: deps.shards },
      (_, i) => new SimulatedShard({ name: `redis${i}`, clock, random, log: deps.log ?? (() => {}) }),
    ),
  };
}
