import { Redis } from 'ioredis';
import type { RedisConfig } from '../config/redis-config.ts';

const PING_INTERVAL_MS = 1000;
const MAX_RECONNECT_DELAY_MS = 500;

/**
 * Creates a connection to Redis that never queues and never repeats: a command fails at once while there is
 * no connection, and after the time-out at the latest. A link that goes silent (frozen server, swallowed
 * packets) is given up within two time-outs, so within 5 s by default. Reconnects for as long as it lives.
 */
export function createRedisClient(config: RedisConfig, name: string): Redis {
  const redis = new Redis(config.url, {
    lazyConnect: true,
    connectionName: name,
    connectTimeout: config.timeoutMs,
    commandTimeout: config.timeoutMs,
    socketTimeout: config.timeoutMs + PING_INTERVAL_MS,
    disconnectTimeout: 200,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) =>
      Math.min(25 * 2 ** Math.min(attempt, 10), MAX_RECONNECT_DELAY_MS) * (0.5 + Math.random() / 2),
  });
  // The link's state is reported by its owner; without a listener ioredis would print every failed attempt.
  redis.on('error', () => {});
  const pinger = setInterval(() => {
    if (redis.status === 'ready') redis.ping().catch(() => {});
  }, PING_INTERVAL_MS);
  pinger.unref();
  redis.once('end', () => clearInterval(pinger));
  return redis;
}
