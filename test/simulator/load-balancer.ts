import type { Clock } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedPipe } from './simulated-pipe.ts';
import type { SimulatedRelay } from './simulated-relay.ts';
import type { ResponsePeer } from './simulated-response.ts';
import type { Peer } from './simulated-socket.ts';

/** A client's connection, from the attempt to connect to its end. */
export interface ClientConnection {
  /** The relay it is routed to; undefined before that. */
  readonly relay: SimulatedRelay | undefined;
  readonly pipe: SimulatedPipe | undefined;
  send(text: string): void;
  close(code: number): void;
}

/** Whether a connection leads to a relay that accepts clients, and delivers everything sent. */
export function isHealthy(connection: ClientConnection | undefined): boolean {
  return connection?.relay?.takesClients === true && connection.pipe?.flows === true;
}

/** The load balancer in front of the relays. Routes each connection to a random relay, alive or not. */
export class LoadBalancer {
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #relays: () => readonly SimulatedRelay[];

  constructor(deps: { clock: Clock; random: SeededRandom; relays: () => readonly SimulatedRelay[] }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#relays = deps.relays;
  }

  /** Opens a WebSocket. */
  connect(path: string, query: string, peer: Peer): ClientConnection {
    return this.#open((relay) => {
      const socket = relay.connect(path, query, peer);
      if (!socket) peer.closed(1006, '');
      return socket && { pipe: socket.pipe, send: (text) => socket.receive(text) };
    });
  }

  /** Sends an HTTP request. */
  request(url: URL, headers: Readonly<Record<string, string>>, peer: ResponsePeer): ClientConnection {
    return this.#open((relay) => {
      const response = relay.request(url, headers, peer);
      if (!response) peer.closed(1006);
      return response && { pipe: response.pipe, send() {} };
    });
  }

  #open(
    route: (relay: SimulatedRelay) => { pipe: SimulatedPipe; send: (text: string) => void } | undefined,
  ): ClientConnection {
    let relay: SimulatedRelay | undefined;
    let routed: { pipe: SimulatedPipe; send: (text: string) => void } | undefined;
    let closed = false;
    this.#clock.after(this.#random.between(1, 30), () => {
      if (closed) return;
      relay = this.#random.pick(this.#relays());
      routed = route(relay);
    });
    return {
      get relay() {
        return relay;
      },
      get pipe() {
        return routed?.pipe;
      },
      send: (text) => routed?.send(text),
      close(code) {
        closed = true;
        routed?.pipe.close(code);
      },
    };
  }
}
