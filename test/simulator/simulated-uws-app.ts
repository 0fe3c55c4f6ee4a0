import type { UwsWebsocket } from '../../services/relay/transport/uws-websocket.ts';
import type { Clock } from '../../services/shared/process/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import { type Peer, SimulatedSocket } from './simulated-socket.ts';

type UwsApp = ConstructorParameters<typeof UwsWebsocket>[0]['app'];
type Behavior = Parameters<UwsApp['ws']>[1];
type Socket = Parameters<NonNullable<Behavior['open']>>[0];

/** As much of a uWebSockets.js app as the WebSocket transports use, for clients that are simulated. */
export class SimulatedUwsApp {
  readonly sockets = new Set<SimulatedSocket>();
  readonly #clock: Clock;
  readonly #lineClock: Clock;
  readonly #random: SeededRandom;
  readonly #isTurnEnd: () => boolean;
  readonly #behaviors = new Map<string, Behavior>();
  #flushing = false;

  constructor(deps: { clock: Clock; lineClock: Clock; random: SeededRandom; isTurnEnd: () => boolean }) {
    this.#clock = deps.clock;
    this.#lineClock = deps.lineClock;
    this.#random = deps.random;
    this.#isTurnEnd = deps.isTurnEnd;
  }

  /** What the transports take it for. */
  get app(): UwsApp {
    return this as unknown as UwsApp;
  }

  ws(path: string, behavior: Behavior): this {
    this.#behaviors.set(path, behavior);
    return this;
  }

  any(): this {
    return this;
  }

  numSubscribers(topic: string): number {
    let count = 0;
    for (const socket of this.sockets) if (socket.topics.has(topic)) count += 1;
    return count;
  }

  publish(topic: string, text: string): boolean {
    for (const socket of this.sockets) if (socket.topics.has(topic)) socket.publish(text);
    if (!this.#flushing) {
      this.#flushing = true;
      const flush = () =>
        this.#clock.after(0, () => {
          this.#flushing = false;
          for (const socket of this.sockets) socket.flush();
        });
      // Written in this iteration of the loop or in the next one, and always before the end of that.
      if (this.#isTurnEnd() || this.#random.chance(0.5)) flush();
      else this.#clock.atTurnEnd(flush);
    }
    return true;
  }

  /** A client connects; undefined where it is refused. */
  connect(path: string, query: string, peer: Peer): SimulatedSocket | undefined {
    const behavior = this.#behaviors.get(path);
    if (!behavior?.upgrade) throw new Error(`nothing is served at ${path}`);
    let userData: unknown;
    const res = {
      getRemoteAddressAsText: () => new ArrayBuffer(0),
      upgrade: (data: unknown) => {
        userData = data;
      },
      cork: () => {},
    };
    const req = { getHeader: () => '', getQuery: () => query };
    type Upgrade = Parameters<typeof behavior.upgrade>;
    behavior.upgrade(res as unknown as Upgrade[0], req as unknown as Upgrade[1], {} as Upgrade[2]);
    if (userData === undefined) return undefined;
    const uws = (socket: SimulatedSocket) => socket as unknown as Socket;
    const socket = new SimulatedSocket({
      userData,
      relayClock: this.#clock,
      lineClock: this.#lineClock,
      random: this.#random,
      peer,
      maxBackpressure: behavior.maxBackpressure ?? 0,
      handlers: {
        message: (from, text) => behavior.message?.(uws(from), new TextEncoder().encode(text).buffer, false),
        dropped: (from) => behavior.dropped?.(uws(from), new ArrayBuffer(0), false),
        drain: (from) => behavior.drain?.(uws(from)),
        pong: (from) => behavior.pong?.(uws(from), new ArrayBuffer(0)),
        close: (from, code) => {
          this.sockets.delete(from);
          behavior.close?.(uws(from), code, new ArrayBuffer(0));
        },
      },
    });
    this.sockets.add(socket);
    behavior.open?.(uws(socket));
    return socket;
  }

  /** The process is gone, or the machine with it. */
  vanish(silently: boolean): void {
    for (const socket of this.sockets) socket.vanish(silently);
    this.sockets.clear();
  }
}
