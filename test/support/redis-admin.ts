import { Redis } from 'ioredis';

/**
 * Sends one command to a server and resolves with the reply.
 * @param server a port on loopback, or a URL if a password is needed
 */
export async function askRedis(server: number | string, ...command: readonly (string | number)[]): Promise<unknown> {
  const url = typeof server === 'number' ? `redis://127.0.0.1:${server}` : server;
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => {}); // the call fails
  try {
    await redis.connect();
    const [name, ...args] = command;
    return await redis.call(String(name), ...args);
  } finally {
    redis.disconnect();
  }
}
