import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems choose for port 0 and for outgoing connections, and below those of Kubernetes' services. */
const [FIRST, LAST] = [11_000, 29_999];

/**
 * Reserves an unused port until this process ends, for programs that cannot listen on port 0, for services that restart on
 * the same port, and for addresses at which nothing listens.
 *
 * The system gives such a port to no other socket, and the UDP port of the same number, which is bound, tells other
 * processes of tests that it is taken.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if ((await reserve(port)) && (await isUnused(port))) return port;
  }
}

async function reserve(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.bind({ port, address: '127.0.0.1', exclusive: true });
    await once(socket, 'listening');
    socket.unref();
    return true;
  } catch {
    return false;
  }
}

async function isUnused(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, exclusive: true });
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}
