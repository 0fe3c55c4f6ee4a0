import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Pieces that the kernels hold: they cannot be recalled and do not count as buffered. */
const KERNEL_PIECES = 3;

/** What the two ends of a line are told. */
export interface PipeEnds {
  /** The client's: the line is over. */
  peerClosed(code: number, reason: string): void;
  /** The relay's: something was taken after there had been a backlog. */
  drained(): void;
  /** The relay's: the client or the network has ended the line. */
  lost(code: number): void;
}

/** The line between a relay and a client: what goes over it, in order, and what befalls it. */
export class SimulatedPipe {
  readonly #relayClock: Clock;
  readonly #lineClock: Clock;
  readonly #random: SeededRandom;
  readonly #ends: PipeEnds;
  #queue: (() => void)[] = [];
  #reading: Timer | undefined;
  #sentUntilMs = 0;
  #open = true;
  #peerOpen = true;
  #stalled = false;
  #choked = false;
  #silent = false;

  constructor(deps: { relayClock: Clock; lineClock: Clock; random: SeededRandom; ends: PipeEnds }) {
    this.#relayClock = deps.relayClock;
    this.#lineClock = deps.lineClock;
    this.#random = deps.random;
    this.#ends = deps.ends;
  }

  // The relay's end.

  get isOpen(): boolean {
    return this.#open;
  }

  /** Pieces that wait in the relay. */
  get backlog(): number {
    return Math.max(0, this.#queue.length - KERNEL_PIECES);
  }

  /** Sends one piece: the client takes it in its turn. */
  push(take: () => void): void {
    this.#queue.push(take);
    this.#read();
  }

  /** The relay ends the line; the client hears of it behind all that was sent. */
  end(code: number, reason: string): void {
    this.push(() => this.#endPeer(code, reason));
    this.#open = false;
  }

  /** The relay's process is gone: its kernel says so, unless the machine is gone too. */
  vanish(silently: boolean): void {
    this.#open = false;
    if (!silently) this.push(() => this.#endPeer(1006, ''));
  }

  // The client's end.

  /** Brings something to the relay, behind all that was brought before. */
  toRelay(arrive: () => void): void {
    if (this.#silent) return;
    const nowMs = this.#lineClock.nowMs();
    this.#sentUntilMs = Math.max(this.#sentUntilMs, nowMs + this.#latencyMs());
    this.#relayClock.after(this.#sentUntilMs - nowMs, () => {
      if (this.#open) arrive();
    });
  }

  /** The client ends the line. */
  hangUp(code: number): void {
    this.#peerOpen = false;
    this.toRelay(() => this.#lost(code));
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

  /** Whether the buffer counts as full, whatever is in it. */
  get isChoked(): boolean {
    return this.#choked;
  }

  /** The buffer is full, until `release`. */
  choke(): void {
    this.#choked = true;
  }

  release(): void {
    if (!this.#choked) return;
    this.#choked = false;
    if (this.#open) this.#relayClock.after(1, () => this.#open && this.#ends.drained());
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
    this.toRelay(() => this.#lost(1006));
  }

  #latencyMs(): number {
    return this.#random.between(0, 20);
  }

  /** Hands the client one piece after the other. */
  #read(): void {
    if (this.#reading || this.#stalled || this.#queue.length === 0) return;
    this.#reading = this.#lineClock.after(this.#latencyMs(), () => {
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
