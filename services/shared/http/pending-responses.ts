import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { InFlight } from './in-flight.ts';

/** Pipelined requests of one connection. Common clients and proxies do not pipeline at all. */
const MAX_PIPELINED = 8;

/** The pending responses of each connection, oldest first. */
export class PendingResponses {
  readonly #bySocket = new WeakMap<Socket, InFlight<ServerResponse>>();

  /** Adds a response until it is complete. Returns false, and closes the connection, if too many are pending. */
  add(socket: Socket, response: ServerResponse): boolean {
    const pending = this.#bySocket.get(socket) ?? new InFlight();
    if (pending.size >= MAX_PIPELINED) {
      socket.destroy();
      return false;
    }
    pending.add(response);
    this.#bySocket.set(socket, pending);
    response.once('close', () => pending.delete(response));
    return true;
  }

  oldest(socket: Socket): ServerResponse | undefined {
    return this.#bySocket.get(socket)?.oldest;
  }

  /** Whether the connection has ever had a request. */
  hasHad(socket: Socket): boolean {
    return this.#bySocket.has(socket);
  }
}
