import { readFileSync } from 'node:fs';
import { GenericContainer } from 'testcontainers';
import { parse } from 'yaml';
import { RedisProcess } from './redis-process.ts';
import { redisProgram } from './redis-program.ts';

/** A Redis that all tests of a run share, each with a key prefix of its own. */
export interface SharedRedis {
  readonly url: string;
  /** Names the server for people. */
  readonly what: string;
  stop(): Promise<void>;
}

/**
 * Starts a Redis: a container of the image in deploy/compose.yaml if a Docker engine can run one, else a process of
 * `redisProgram`. `HELIOGRAPH_TEST_REDIS` rules a container out.
 */
export async function startSharedRedis(): Promise<SharedRedis> {
  return (await startContainer()) ?? (await startProcess());
}

async function startContainer(): Promise<SharedRedis | undefined> {
  if (process.env.HELIOGRAPH_TEST_REDIS) return undefined;
  const compose = parse(readFileSync(new URL('../../deploy/compose.yaml', import.meta.url), 'utf8'), { merge: true });
  const { image } = compose.services.redis as { image: string };
  try {
    const container = await new GenericContainer(image).withExposedPorts(6379).start();
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`;
    return { url, what: `a container of ${image}`, stop: async () => void (await container.stop()) };
  } catch (error) {
    // An engine may be missing, or have neither the image nor a registry: the tests run without it.
    console.info(`No Redis container: ${(error as Error).message}`);
    return undefined;
  }
}

async function startProcess(): Promise<SharedRedis> {
  const redis = await RedisProcess.start();
  return { url: redis.url, what: redisProgram(), stop: () => redis.stop() };
}
