import { createConnection } from 'node:net';
import { GenericContainer } from 'testcontainers';
import { findProgram } from './find-program.ts';
import { RedisProcess } from './redis-process.ts';

/** A Redis that all tests of a run share, each with a key prefix of its own. */
export interface SharedRedis {
  readonly url: string;
  /** What it is, for people. */
  readonly what: string;
  stop(): Promise<void>;
}

/** Finds a Redis: a container where a Docker engine answers, else `redis-server`, installed where that is possible. */
export async function findRedis(): Promise<SharedRedis> {
  if (await dockerAnswers()) {
    const container = await new GenericContainer('redis:7-alpine').withExposedPorts(6379).start();
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`;
    return { url, what: 'a container of redis:7-alpine', stop: async () => void (await container.stop()) };
  }
  const program = findProgram('redis-server', 'redis-server');
  const redis = await RedisProcess.start();
  return { url: redis.url, what: program, stop: () => redis.stop() };
}

/** Whether a Docker engine answers on its socket. */
async function dockerAnswers(path = process.env.DOCKER_SOCKET ?? '/var/run/docker.sock'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('connect', () => socket.write('GET /_ping HTTP/1.0\r\n\r\n'));
    socket.on('data', (data) => end(String(data).includes(' 200 ')));
    socket.on('end', () => end(false));
  });
}
