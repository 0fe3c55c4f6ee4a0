import { findProgram } from './find-program.ts';

/**
 * Returns the program that tests start as a Redis server: the one that `HELIOGRAPH_TEST_REDIS` names, such as
 * `/usr/bin/valkey-server`, else `redis-server`, which is installed if that is possible.
 */
export function redisProgram(): string {
  return process.env.HELIOGRAPH_TEST_REDIS || findProgram('redis-server', 'redis-server');
}
