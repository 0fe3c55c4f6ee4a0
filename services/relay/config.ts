import type { EnvReader } from '../shared/config/env-reader.ts';
import { requireRedisConfig } from '../shared/config/redis-config.ts';
import { isTopic, type Topic } from '../shared/update/topic.ts';
import type { SessionLimits } from './session/limits.ts';

/** What a relay needs to know. Durations are in milliseconds. */
export interface RelayConfig {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** What `/update_check` listens to where the client names no topic. */
  readonly defaultTopic: Topic;
  readonly limits: SessionLimits;
  /** How often each partition's digest is read. */
  readonly repairIntervalMs: number;
  /** Over how long clients spread their refetch after the floor was raised. */
  readonly floorSpreadMs: number;
  readonly pingIntervalMs: number;
  /** After how long a client that takes nothing is given up. */
  readonly stuckTimeoutMs: number;
  /** Over how long the goodbyes of a stopping relay are spread. */
  readonly drainWindowMs: number;
}

/** Reads what a relay needs, but for its broker. */
export function readRelayConfig(
  env: EnvReader,
  defaults: { drainWindow: string } = { drainWindow: '30s' },
): RelayConfig {
  const defaultTopic = env.string('DEFAULT_TOPIC', 'default');
  if (!isTopic(defaultTopic)) env.fail('DEFAULT_TOPIC', 'must be a topic: 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -');
  return Object.freeze({
    host: env.string('RELAY_HOST', '0.0.0.0'),
    port: env.port('RELAY_PORT', 8080),
    defaultTopic: defaultTopic as Topic,
    limits: Object.freeze({
      maxTopics: env.integer('MAX_TOPICS', { default: 128, min: 1, max: 1000 }),
      messagesPerSecond: env.integer('FRAME_RATE', { default: 10, min: 0, max: 100_000 }),
    }),
    repairIntervalMs: env.durationMs('REPAIR_INTERVAL', { default: '3s', minMs: 100, maxMs: 60_000 }),
    floorSpreadMs: env.durationMs('FLOOR_SPREAD', { default: '10s', maxMs: 600_000 }),
    pingIntervalMs: env.durationMs('PING_INTERVAL', { default: '25s', minMs: 1000, maxMs: 55_000 }),
    stuckTimeoutMs: env.durationMs('STUCK_TIMEOUT', { default: '120s', minMs: 1000 }),
    drainWindowMs: env.durationMs('DRAIN_WINDOW', { default: defaults.drainWindow, maxMs: 3_600_000 }),
  });
}

/** Reads what the process of a single relay needs: it must be told where Redis is. */
export function readRelayProcessConfig(env: EnvReader) {
  return { relay: readRelayConfig(env), redis: requireRedisConfig(env) };
}
