import { createServer, type Server } from 'node:net';
import { type ListenAddress, listenError, StartError } from '../start-error.ts';

/**
 * Checks that a process can listen on all its ports, so that one start finds everything that is wrong with them.
 *
 * @throws {StartError} with a message for each port that cannot be used
 */
export async function checkPorts(addresses: readonly ListenAddress[]): Promise<void> {
  const open: Server[] = [];
  const problems: string[] = [];
  for (const [i, address] of addresses.entries()) {
    const twin = addresses.slice(0, i).find((other) => overlap(other, address));
    const result = await listen(address);
    if (result instanceof Error) {
      const isOwn = twin && result.code === 'EADDRINUSE';
      problems.push(
        isOwn
          ? `${address.setting}_PORT: port ${address.port} is that of ${twin.setting}_PORT: choose another port`
          : listenError(result, address).message,
      );
    } else open.push(result);
  }
  await Promise.all(open.map((server) => new Promise((resolve) => server.close(resolve))));
  if (problems.length > 0) throw new StartError(problems.join('; '));
}

function overlap(one: ListenAddress, other: ListenAddress): boolean {
  const isSamePlace =
    one.host === other.host || [one.host, other.host].some((host) => host === '0.0.0.0' || host === '::');
  return one.port !== 0 && one.port === other.port && isSamePlace;
}

/** Returns why a port cannot be used, for servers that do not say so; undefined if it can. */
export async function probePort(address: { host: string; port: number }): Promise<NodeJS.ErrnoException | undefined> {
  const result = await listen(address);
  if (result instanceof Error) return result;
  await new Promise((resolve) => result.close(resolve));
  return undefined;
}

function listen({ host, port }: { host: string; port: number }): Promise<Server | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}
