import type { Clock } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedPipe } from './simulated-pipe.ts';
import type { SimulatedRelay } from './simulated-relay.ts';
import type { ResponsePeer } from './simulated-response.ts';
import type { Peer } from './simulated-socket.ts';

/** A client's line, from the first try to its end. */
export interface ClientLine {
  /** Whom it leads to, once it does. */
  readonly relay: SimulatedRelay | undefined;
  readonly pipe: SimulatedPipe | undefined;
  say(text: string): void;
  hangUp(code: number): void;
}

/** Whether a line leads to a relay that takes clients, and brings all that it is sent. */
export function reaches(line: ClientLine | undefined): boolean {
  return line?.relay?.takesClients === true && line.pipe?.flows === true;
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

  /** Opens a WebSocket. */
  connect(path: string, query: string, peer: Peer): ClientLine {
    return this.#open((relay) => {
      const socket = relay.connect(path, query, peer);
      if (!socket) peer.closed(1006, '');
      return socket && { pipe: socket.pipe, say: (text) => socket.say(text) };
    });
  }

  /** Asks for something over HTTP. */
  request(url: URL, headers: Readonly<Record<string, string>>, peer: ResponsePeer): ClientLine {
    return this.#open((relay) => {
      const response = relay.request(url, headers, peer);
      if (!response) peer.closed(1006);
      return response && { pipe: response.pipe, say() {} };
    });
  }

  #open(
    reach: (relay: SimulatedRelay) => { pipe: SimulatedPipe; say: (text: string) => void } | undefined,
  ): ClientLine {
    let relay: SimulatedRelay | undefined;
    let end: { pipe: SimulatedPipe; say: (text: string) => void } | undefined;
    let over = false;
    this.#clock.after(this.#random.between(1, 30), () => {
      if (over) return;
      relay = this.#random.pick(this.#relays());
      end = reach(relay);
    });
    return {
      get relay() {
        return relay;
      },
      get pipe() {
        return end?.pipe;
      },
      say: (text) => end?.say(text),
      hangUp(code) {
        over = true;
        end?.pipe.hangUp(code);
      },
    };
  }
}
