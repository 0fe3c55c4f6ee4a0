import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Pipelined requests of one connection. Common clients and proxies do not pipeline at all. */
const MAX_PIPELINED = 8;

/** The pending responses of each connection, oldest first. */
export class PendingResponses {
  readonly #bySocket = new WeakMap<Socket, Set<ServerResponse>>();

  /** Adds a response until it is complete. Returns false, and closes the connection, if too many are pending. */
  add(socket: Socket, response: ServerResponse): boolean {
    const pending = this.#bySocket.get(socket) ?? new Set();
    if (pending.size >= MAX_PIPELINED) {
      socket.destroy();
      return false;
    }
    this.#bySocket.set(socket, pending.add(response));
    response.once('close', () => pending.delete(response));
    return true;
  }

  oldest(socket: Socket): ServerResponse | undefined {
    return this.#bySocket.get(socket)?.values().next().value;
  }

  /** Whether the connection has ever had a request. */
  hasHad(socket: Socket): boolean {
    return this.#bySocket.has(socket);
  }
}
