import { Redis } from 'ioredis';

/** Sends one command to a server on loopback, as its operator, and resolves with the answer. */
export async function askRedis(port: number, ...command: readonly (string | number)[]): Promise<unknown> {
  const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => {}); // the call fails
  try {
    await redis.connect();
    const [name, ...args] = command;
    return await redis.call(String(name), ...args);
  } finally {
    redis.disconnect();
  }
}
