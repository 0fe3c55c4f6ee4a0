import type { TestProject } from 'vitest/node';
import { RedisProcess } from '../../support/redis-process.ts';

/** Starts the Redis that the tests share. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await RedisProcess.start();
  project.provide('redisUrl', redis.url);
  return () => redis.stop();
}
