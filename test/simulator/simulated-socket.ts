import type { Clock, Timer } from '../../services/shared/process/clock.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What a client's end of a line is told, in the order of sending. */
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
/** Frames that the kernels hold: they cannot be recalled and do not count as buffered. */
const KERNEL_FRAMES = 3;
/** Messages of one turn that are kept to be written at once; 32 in uWebSockets.js, here few enough to be met. */
const BATCH = 4;

/**
 * A WebSocket between a relay and a client, with the relay's end as uWebSockets.js has it: what a turn publishes
 * is one batch, what does not fit is dropped whole with one `dropped`, and `drain` comes when something was taken.
 */
export class SimulatedSocket {
  readonly userData: unknown;
  readonly topics = new Set<string>();
  readonly #relayClock: Clock;
  readonly #lineClock: Clock;
  readonly #random: SeededRandom;
  readonly #handlers: SocketHandlers;
  readonly #peer: Peer;
  readonly #maxBackpressure: number;
  #batch: string[] = [];
  #queue: (() => void)[] = [];
  #reading: Timer | undefined;
  #sentUntilMs = 0;
  #open = true;
  #peerOpen = true;
  #stalled = false;
  #choked = false;
  #silent = false;

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
    this.#relayClock = deps.relayClock;
    this.#lineClock = deps.lineClock;
    this.#random = deps.random;
    this.#handlers = deps.handlers;
    this.#peer = deps.peer;
    this.#maxBackpressure = deps.maxBackpressure;
    this.#push(() => this.#peer.opened());
  }

  // The relay's end.

  getUserData(): unknown {
    return this.userData;
  }

  getBufferedAmount(): number {
    this.#mustBeOpen();
    if (this.#choked) return this.#maxBackpressure + 1;
    return Math.max(0, this.#queue.length - KERNEL_FRAMES) * FRAME_BYTES;
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
    this.#push(() => this.#peer.message(text));
    return (this.getBufferedAmount() > 0 ? BACKPRESSURE : SUCCESS) as number;
  }

  ping(): void {
    this.#mustBeOpen();
    this.#push(() => this.#toRelay(() => this.#handlers.pong(this)));
  }

  /** Says goodbye; a client with a backlog may never see it. The close handler is called at once. */
  end(code: number, reason: string): void {
    this.#mustBeOpen();
    if (this.getBufferedAmount() > 0 && this.#random.chance(0.5)) this.#closeBehind(1006, '');
    else this.#closeBehind(code, reason);
    this.#closed(code);
  }

  close(): void {
    this.#mustBeOpen();
    this.#closeBehind(1006, '');
    this.#closed(1006);
  }

  // The server's own.

  get isOpen(): boolean {
    return this.#open;
  }

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
      if (!this.#open) return;
      if (this.#isFull) {
        this.#handlers.dropped(this);
        return;
      }
      this.#push(() => this.#peer.message(text));
    }
  }

  /** The relay's process is gone: its kernel says so, unless the machine is gone too. */
  vanish(silently: boolean): void {
    this.#open = false;
    if (!silently) this.#push(() => this.#endPeer(1006, ''));
  }

  // The client's end.

  /** Says something to the relay. */
  say(text: string): void {
    this.#toRelay(() => this.#handlers.message(this, text));
  }

  /** The client ends the line. */
  hangUp(code: number): void {
    this.#peerOpen = false;
    this.#toRelay(() => this.#closed(code));
  }

  // What befalls the line.

  /** Whether the client gets all that it is sent. */
  get flows(): boolean {
    return this.#open && this.#peerOpen && !this.#stalled && !this.#choked && !this.#silent && this.#queue.length === 0;
  }

  /** The client takes nothing, until `resume`. */
  stall(): void {
    this.#stalled = true;
    this.#reading?.cancel();
    this.#reading = undefined;
  }

  resume(): void {
    if (this.#silent) return;
    this.#stalled = false;
    this.#read();
  }

  /** The buffer is full, until `release`: whatever is sent or published is dropped. */
  choke(): void {
    this.#choked = true;
  }

  release(): void {
    if (!this.#choked) return;
    this.#choked = false;
    if (this.#open) this.#relayClock.after(1, () => this.#open && this.#handlers.drain(this));
  }

  /** From now on the line swallows everything, in both directions, and nobody is told. */
  silence(): void {
    this.#silent = true;
    this.stall();
  }

  /** The client finds out that a silent line is dead. */
  notice(): void {
    this.#endPeer(1006, '');
  }

  /** The line is reset: both ends are told. */
  reset(): void {
    if (this.#silent) return;
    this.#lineClock.after(this.#latencyMs(), () => this.#endPeer(1006, ''));
    this.#toRelay(() => this.#closed(1006));
  }

  get #isFull(): boolean {
    return this.getBufferedAmount() > this.#maxBackpressure;
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new Error('Invalid access of closed uWS.WebSocket/SSLWebSocket.');
  }

  #latencyMs(): number {
    return this.#random.between(0, 20);
  }

  #push(take: () => void): void {
    this.#queue.push(take);
    this.#read();
  }

  /** Hands the client one frame after the other. */
  #read(): void {
    if (this.#reading || this.#stalled || this.#queue.length === 0) return;
    this.#reading = this.#lineClock.after(this.#latencyMs(), () => {
      this.#reading = undefined;
      const buffered = this.#queue.length > KERNEL_FRAMES;
      const take = this.#queue.shift();
      if (this.#peerOpen) take?.();
      if (this.#open && buffered && !this.#choked) this.#toRelay(() => this.#handlers.drain(this));
      this.#read();
    });
  }

  #toRelay(arrive: () => void): void {
    if (this.#silent) return;
    const nowMs = this.#lineClock.nowMs();
    this.#sentUntilMs = Math.max(this.#sentUntilMs, nowMs + this.#latencyMs());
    this.#relayClock.after(this.#sentUntilMs - nowMs, () => {
      if (this.#open) arrive();
    });
  }

  #closeBehind(code: number, reason: string): void {
    this.flush();
    this.#push(() => this.#endPeer(code, reason));
  }

  #endPeer(code: number, reason: string): void {
    if (!this.#peerOpen) return;
    this.#peerOpen = false;
    this.#peer.closed(code, reason);
  }

  #closed(code: number): void {
    if (!this.#open) return;
    this.#open = false;
    this.#batch = [];
    this.#handlers.close(this, code);
  }
}
