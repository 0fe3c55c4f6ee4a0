import type { Clock } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedPipe } from './simulated-pipe.ts';

/** Receives the events of a WebSocket at the client, in the order of sending. */
export interface Peer {
  opened(): void;
  message(text: string): void;
  /** The connection was closed. */
  closed(code: number, reason: string): void;
}

/** The handlers of uWebSockets.js at the relay. */
export interface SocketHandlers {
  message(socket: SimulatedSocket, text: string): void;
  dropped(socket: SimulatedSocket): void;
  drain(socket: SimulatedSocket): void;
  pong(socket: SimulatedSocket): void;
  close(socket: SimulatedSocket, code: number): void;
}

/** The return values of `send` in uWebSockets.js. */
const [BACKPRESSURE, SUCCESS, DROPPED] = [0, 1, 2];
/** The number of bytes that a frame counts for, chosen so that a few frames fill a buffer. */
const FRAME_BYTES = 8 * 1024;
/** The number of messages of one turn that are written as one batch: 32 in uWebSockets.js, fewer here to be reached. */
const BATCH = 4;

/**
 * A WebSocket between a relay and a client. The end of the relay behaves as in uWebSockets.js: the messages of a turn
 * are one batch, a batch that does not fit is dropped whole with one `dropped`, and `drain` follows when a frame was read.
 */
export class SimulatedSocket {
  readonly userData: unknown;
  readonly topics = new Set<string>();
  readonly pipe: SimulatedPipe;
  readonly #random: SeededRandom;
  readonly #handlers: SocketHandlers;
  readonly #peer: Peer;
  readonly #maxBackpressure: number;
  #batch: string[] = [];

  constructor(deps: {
    userData: unknown;
    relayClock: Clock;
    networkClock: Clock;
    random: SeededRandom;
    handlers: SocketHandlers;
    peer: Peer;
    maxBackpressure: number;
  }) {
    this.userData = deps.userData;
    this.#random = deps.random;
    this.#handlers = deps.handlers;
    this.#peer = deps.peer;
    this.#maxBackpressure = deps.maxBackpressure;
    this.pipe = new SimulatedPipe({
      ...deps,
      ends: {
        peerClosed: (code, reason) => this.#peer.closed(code, reason),
        drained: () => this.#handlers.drain(this),
        lost: (code) => this.#closed(code),
      },
    });
    this.pipe.push(() => this.#peer.opened());
  }

  // The end of the relay, as in uWebSockets.js.

  getUserData(): unknown {
    return this.userData;
  }

  getBufferedAmount(): number {
    this.#mustBeOpen();
    if (this.pipe.isChoked) return this.#maxBackpressure + 1;
    return this.pipe.backlog * FRAME_BYTES;
  }

  subscribe(topic: string): boolean {
    this.#mustBeOpen();
    this.topics.add(topic);
    return true;
  }

  unsubscribe(topic: string): boolean {
    this.#mustBeOpen();
    return this.topics.delete(topic);
  }

  send(text: string): number {
    this.#mustBeOpen();
    if (this.#isFull) {
      this.#handlers.dropped(this);
      return DROPPED as number;
    }
    this.flush();
    this.pipe.push(() => this.#peer.message(text));
    return (this.getBufferedAmount() > 0 ? BACKPRESSURE : SUCCESS) as number;
  }

  ping(): void {
    this.#mustBeOpen();
    this.pipe.push(() => this.pipe.toRelay(() => this.#handlers.pong(this)));
  }

  /** Sends a close frame, which a client with a backlog may never see. Calls the close handler at once. */
  end(code: number, reason: string): void {
    this.#mustBeOpen();
    if (this.getBufferedAmount() > 0 && this.#random.chance(0.5)) this.#end(1006, '', code);
    else this.#end(code, reason, code);
  }

  close(): void {
    this.#mustBeOpen();
    this.#end(1006, '', 1006);
  }

  // For the server.

  /** Buffers a published message until the end of the turn. */
  publish(text: string): void {
    if (this.#batch.length === BATCH) this.flush();
    this.#batch.push(text);
  }

  /** Writes the messages published in this turn. */
  flush(): void {
    const batch = this.#batch;
    this.#batch = [];
    for (const text of batch) {
      if (!this.pipe.isOpen) return;
      if (this.#isFull) {
        this.#handlers.dropped(this);
        return;
      }
      this.pipe.push(() => this.#peer.message(text));
    }
  }

  // The end of the client.

  /** Receives a message from the client. */
  receive(text: string): void {
    this.pipe.toRelay(() => this.#handlers.message(this, text));
  }

  get #isFull(): boolean {
    return this.getBufferedAmount() > this.#maxBackpressure;
  }

  #mustBeOpen(): void {
    if (!this.pipe.isOpen) throw new Error('Invalid access of closed uWS.WebSocket/SSLWebSocket.');
  }

  #end(peerCode: number, reason: string, code: number): void {
    this.flush();
    this.pipe.end(peerCode, reason);
    this.#closed(code);
  }

  #closed(code: number): void {
    this.#batch = [];
    this.#handlers.close(this, code);
  }
}
