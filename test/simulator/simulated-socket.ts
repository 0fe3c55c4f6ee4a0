import type { Clock } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedPipe } from './simulated-pipe.ts';

/** What a client's end of a WebSocket is told, in the order of sending. */
export interface Peer {
  opened(): void;
  message(text: string): void;
  /** The line is over. */
  closed(code: number, reason: string): void;
}

/** What a relay's end tells its server: uWebSockets.js' handlers. */
export interface SocketHandlers {
  message(socket: SimulatedSocket, text: string): void;
  dropped(socket: SimulatedSocket): void;
  drain(socket: SimulatedSocket): void;
  pong(socket: SimulatedSocket): void;
  close(socket: SimulatedSocket, code: number): void;
}

/** What `send` returns, as in uWebSockets.js. */
const [BACKPRESSURE, SUCCESS, DROPPED] = [0, 1, 2];
/** Every frame counts for so many bytes more than it has, so that few of them fill a buffer. */
const FRAME_BYTES = 8 * 1024;
/** Messages of one turn that are kept to be written at once; 32 in uWebSockets.js, here few enough to be met. */
const BATCH = 4;

/**
 * A WebSocket between a relay and a client, with the relay's end as uWebSockets.js has it: what a turn publishes
 * is one batch, what does not fit is dropped whole with one `dropped`, and `drain` comes when something was taken.
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
    lineClock: Clock;
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

  // The relay's end, as uWebSockets.js has it.

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

  /** Says goodbye; a client with a backlog may never see it. The close handler is called at once. */
  end(code: number, reason: string): void {
    this.#mustBeOpen();
    if (this.getBufferedAmount() > 0 && this.#random.chance(0.5)) this.#end(1006, '', code);
    else this.#end(code, reason, code);
  }

  close(): void {
    this.#mustBeOpen();
    this.#end(1006, '', 1006);
  }

  // The server's own.

  /** Keeps a published message for the end of the turn. */
  publish(text: string): void {
    if (this.#batch.length === BATCH) this.flush();
    this.#batch.push(text);
  }

  /** Writes what the turn has published. */
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

  // The client's end.

  /** Says something to the relay. */
  say(text: string): void {
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
