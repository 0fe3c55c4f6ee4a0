import type { App, HttpHandler, WebSocket, WebSocketBehavior } from '../../services/relay/engine/engine.ts';
import type { Clock } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import { type ResponsePeer, SimulatedResponse } from './simulated-response.ts';
import { type Peer, SimulatedSocket } from './simulated-socket.ts';

type Behavior = WebSocketBehavior<unknown>;
type Socket = WebSocket<unknown>;

/** The headers of an upgrade request (RFC 6455, section 4.1). */
const HANDSHAKE: Readonly<Record<string, string>> = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** The part of a uWebSockets.js app that the transports use, for simulated clients. */
export class SimulatedEngine {
  readonly sockets = new Set<SimulatedSocket>();
  readonly responses = new Set<SimulatedResponse>();
  readonly #clock: Clock;
  readonly #networkClock: Clock;
  readonly #random: SeededRandom;
  readonly #isTurnEnd: () => boolean;
  readonly #behaviors = new Map<string, Behavior>();
  /** By path prefix. */
  readonly #services = new Map<string, HttpHandler>();
  #flushing = false;

  constructor(deps: { clock: Clock; networkClock: Clock; random: SeededRandom; isTurnEnd: () => boolean }) {
    this.#clock = deps.clock;
    this.#networkClock = deps.networkClock;
    this.#random = deps.random;
    this.#isTurnEnd = deps.isTurnEnd;
  }

  /** The app, as the transports expect it. */
  get app(): App {
    return this as unknown as App;
  }

  ws(path: string, behavior: Behavior): this {
    this.#behaviors.set(path, behavior);
    return this;
  }

  get(path: string, serve: HttpHandler): this {
    this.#services.set(path.replace(/\*$/, ''), serve);
    return this;
  }

  /** Simulated clients send no HEAD requests. */
  head(): this {
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
      // Written in this iteration of the loop or the next one, always before the end of that.
      if (this.#isTurnEnd() || this.#random.chance(0.5)) flush();
      else this.#clock.atTurnEnd(flush);
    }
    return true;
  }

  /** Handles a WebSocket upgrade; returns undefined if it is refused. */
  connect(path: string, query: string, peer: Peer): SimulatedSocket | undefined {
    const behavior = this.#behaviors.get(path);
    if (!behavior?.upgrade) throw new Error(`no handler for ${path}`);
    let userData: unknown;
    const res = {
      getRemoteAddressAsText: () => new ArrayBuffer(0),
      upgrade: (data: unknown) => {
        userData = data;
      },
      cork: () => {},
    };
    const req = { getHeader: (name: string) => HANDSHAKE[name] ?? '', getQuery: () => query };
    type Upgrade = Parameters<typeof behavior.upgrade>;
    behavior.upgrade(res as unknown as Upgrade[0], req as unknown as Upgrade[1], {} as Upgrade[2]);
    if (userData === undefined) return undefined;
    const uws = (socket: SimulatedSocket) => socket as unknown as Socket;
    const socket = new SimulatedSocket({
      userData,
      relayClock: this.#clock,
      networkClock: this.#networkClock,
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

  /** Handles an HTTP request. */
  request(url: URL, headers: Readonly<Record<string, string>>, peer: ResponsePeer): SimulatedResponse {
    const path = [...this.#services.keys()].find((beginning) => url.pathname.startsWith(beginning)) ?? '';
    const serve = this.#services.get(path);
    if (!serve) throw new Error(`no handler for ${url.pathname}`);
    const rest = decodeURIComponent(url.pathname.slice(path.length));
    const response = new SimulatedResponse({
      topics: rest ? [rest] : url.searchParams.getAll('topic'),
      relayClock: this.#clock,
      networkClock: this.#networkClock,
      random: this.#random,
      peer,
      over: (over) => void this.responses.delete(over),
    });
    this.responses.add(response);
    const req = {
      getUrl: () => url.pathname,
      getQuery: () => url.search.slice(1),
      getHeader: (name: string) => headers[name] ?? '',
    };
    serve(response as unknown as Parameters<HttpHandler>[0], req as unknown as Parameters<HttpHandler>[1]);
    return response;
  }

  /** The process ended, and its machine too if `silently`. */
  vanish(silently: boolean): void {
    for (const socket of this.sockets) socket.pipe.vanish(silently);
    for (const response of this.responses) response.vanish(silently);
    this.sockets.clear();
    this.responses.clear();
  }
}
