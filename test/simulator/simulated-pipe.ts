import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Frames held by the kernels: they cannot be recalled and do not count as buffered. */
const KERNEL_FRAMES = 3;

/** Receives the events of the two ends of a connection. */
export interface PipeEnds {
  /** At the client: the connection was closed. */
  peerClosed(code: number, reason: string): void;
  /** At the relay: a frame was taken while there was a backlog. */
  drained(): void;
  /** At the relay: the client or the network closed the connection. */
  lost(code: number): void;
}

/** The connection between a relay and a client: transfers frames in order, with faults. */
export class SimulatedPipe {
  readonly #relayClock: Clock;
  readonly #networkClock: Clock;
  readonly #random: SeededRandom;
  readonly #ends: PipeEnds;
  #queue: (() => void)[] = [];
  #reading: Timer | undefined;
  #sentUntilMs = 0;
  #open = true;
  #peerOpen = true;
  #stalled = false;
  #choked = false;
  #blackholed = false;

  constructor(deps: { relayClock: Clock; networkClock: Clock; random: SeededRandom; ends: PipeEnds }) {
    this.#relayClock = deps.relayClock;
    this.#networkClock = deps.networkClock;
    this.#random = deps.random;
    this.#ends = deps.ends;
  }

  // The end of the relay.

  get isOpen(): boolean {
    return this.#open;
  }

  /** The number of frames buffered in the relay. */
  get backlog(): number {
    return Math.max(0, this.#queue.length - KERNEL_FRAMES);
  }

  /** Sends a frame. `take` is called when the client reads it. */
  push(take: () => void): void {
    this.#queue.push(take);
    this.#read();
  }

  /** The relay closes the connection. The client sees that after all that was sent. */
  end(code: number, reason: string): void {
    this.push(() => this.#endPeer(code, reason));
    this.#open = false;
  }

  /** The process of the relay ended. Its kernel closes the connection, unless its machine ended too (`silently`). */
  vanish(silently: boolean): void {
    this.#open = false;
    if (!silently) this.push(() => this.#endPeer(1006, ''));
  }

  // The end of the client.

  /** Transfers something to the relay, in order. */
  toRelay(arrive: () => void): void {
    if (this.#blackholed) return;
    const nowMs = this.#networkClock.nowMs();
    this.#sentUntilMs = Math.max(this.#sentUntilMs, nowMs + this.#latencyMs());
    this.#relayClock.after(this.#sentUntilMs - nowMs, () => {
      if (this.#open) arrive();
    });
  }

  /** The client closes the connection. */
  close(code: number): void {
    this.#peerOpen = false;
    this.toRelay(() => this.#lost(code));
  }

  // Faults.

  /** Whether the client receives everything that it is sent. */
  get flows(): boolean {
    return (
      this.#open && this.#peerOpen && !this.#stalled && !this.#choked && !this.#blackholed && this.#queue.length === 0
    );
  }

  /** The client stops reading, until `resume`. */
  stall(): void {
    this.#stalled = true;
    this.#reading?.cancel();
    this.#reading = undefined;
  }

  resume(): void {
    if (this.#blackholed) return;
    this.#stalled = false;
    this.#read();
  }

  /** Whether the buffer counts as full, regardless of its content. */
  get isChoked(): boolean {
    return this.#choked;
  }

  /** Makes the buffer count as full, until `release`. */
  choke(): void {
    this.#choked = true;
  }

  release(): void {
    if (!this.#choked) return;
    this.#choked = false;
    if (this.#open) this.#relayClock.after(1, () => this.#open && this.#ends.drained());
  }

  /** Drops everything from now on, in both directions, without closing the connection. */
  blackhole(): void {
    this.#blackholed = true;
    this.stall();
  }

  /** The client detects that the connection is dead. */
  timeOut(): void {
    this.#endPeer(1006, '');
  }

  /** Resets the connection at both ends. */
  reset(): void {
    if (this.#blackholed) return;
    this.#networkClock.after(this.#latencyMs(), () => this.#endPeer(1006, ''));
    this.toRelay(() => this.#lost(1006));
  }

  #latencyMs(): number {
    return this.#random.between(0, 20);
  }

  /** Lets the client read one frame after the other. */
  #read(): void {
    if (this.#reading || this.#stalled || this.#queue.length === 0) return;
    this.#reading = this.#networkClock.after(this.#latencyMs(), () => {
      this.#reading = undefined;
      const buffered = this.backlog > 0;
      const take = this.#queue.shift();
      if (this.#peerOpen) take?.();
      if (this.#open && buffered && !this.#choked) this.toRelay(() => this.#ends.drained());
      this.#read();
    });
  }

  #endPeer(code: number, reason: string): void {
    if (!this.#peerOpen) return;
    this.#peerOpen = false;
    this.#ends.peerClosed(code, reason);
  }

  #lost(code: number): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ends.lost(code);
  }
}
