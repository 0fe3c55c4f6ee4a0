import type { Clock } from '../../services/shared/process/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedRelay } from './simulated-relay.ts';
import type { Peer, SimulatedSocket } from './simulated-socket.ts';

/** A client's line, from the first try to its end. */
export interface ClientLine {
  /** Whom it leads to, once it does. */
  readonly relay: SimulatedRelay | undefined;
  readonly socket: SimulatedSocket | undefined;
  say(text: string): void;
  hangUp(code: number): void;
}

/** What all clients connect to: it leads to any relay, whether that is alive or not. */
export class Entrance {
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #relays: () => readonly SimulatedRelay[];

  constructor(deps: { clock: Clock; random: SeededRandom; relays: () => readonly SimulatedRelay[] }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#relays = deps.relays;
  }

  connect(path: string, query: string, peer: Peer): ClientLine {
    let relay: SimulatedRelay | undefined;
    let socket: SimulatedSocket | undefined;
    let over = false;
    this.#clock.after(this.#random.between(1, 30), () => {
      if (over) return;
      relay = this.#random.pick(this.#relays());
      socket = relay.connect(path, query, peer);
      if (!socket) peer.closed(1006, '');
    });
    return {
      get relay() {
        return relay;
      },
      get socket() {
        return socket;
      },
      say: (text) => socket?.say(text),
      hangUp(code) {
        over = true;
        socket?.hangUp(code);
      },
    };
  }
}
