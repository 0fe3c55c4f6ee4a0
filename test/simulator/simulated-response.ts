import type { Clock, Timer } from '../../services/shared/clock.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedPipe } from './simulated-pipe.ts';

/** Receives the response at the client, in the order of sending. */
export interface ResponsePeer {
  head(status: number): void;
  chunk(text: string): void;
  /** The response is complete (1000), or the connection was closed before that. */
  closed(code: number): void;
}

/** uWebSockets.js aborts a response whose reader takes nothing of a backlog for this long, in milliseconds. */
const WRITE_TIMEOUT_MS = 12_000;

/** An HTTP response. The end of the relay behaves as in uWebSockets.js: it buffers everything written. */
export class SimulatedResponse {
  /** The requested topics. */
  readonly topics: readonly string[];
  readonly pipe: SimulatedPipe;
  readonly #relayClock: Clock;
  readonly #peer: ResponsePeer;
  readonly #over: (response: SimulatedResponse) => void;
  #status = '200 OK';
  #hasHead = false;
  #isFull = false;
  #isVanished = false;
  #writeTimeout: Timer | undefined;
  #aborted = () => {};
  #writable: (offset: number) => boolean = () => true;

  /** @param deps.over called when nothing more can be written */
  constructor(deps: {
    topics: readonly string[];
    relayClock: Clock;
    networkClock: Clock;
    random: SeededRandom;
    peer: ResponsePeer;
    over: (response: SimulatedResponse) => void;
  }) {
    this.topics = deps.topics;
    this.#relayClock = deps.relayClock;
    this.#peer = deps.peer;
    this.#over = deps.over;
    this.pipe = new SimulatedPipe({
      ...deps,
      ends: {
        peerClosed: (code) => this.#peer.closed(code),
        drained: () => this.#drained(),
        lost: () => this.#abort(),
      },
    });
  }

  getRemoteAddressAsText(): ArrayBuffer {
    return new ArrayBuffer(0);
  }

  onAborted(handler: () => void): this {
    this.#aborted = handler;
    return this;
  }

  onWritable(handler: (offset: number) => boolean): this {
    this.#writable = handler;
    return this;
  }

  cork(write: () => void): this {
    if (this.#isVanished) return this; // a dead process writes nothing
    this.#mustBeOpen();
    write();
    return this;
  }

  writeStatus(status: string): this {
    this.#status = status;
    return this;
  }

  writeHeader(): this {
    return this;
  }

  write(text: string): boolean {
    this.#mustBeOpen();
    this.#sendHead();
    this.pipe.push(() => this.#peer.chunk(text));
    this.#isFull = this.pipe.isChoked || this.pipe.backlog > 0;
    if (this.#isFull) this.#wait();
    return !this.#isFull;
  }

  end(text = ''): this {
    this.#mustBeOpen();
    this.#sendHead();
    if (text !== '') this.pipe.push(() => this.#peer.chunk(text));
    this.pipe.end(1000, '');
    this.#finish();
    return this;
  }

  endWithoutBody(): this {
    return this.end();
  }

  /** The process of the relay ended. */
  vanish(silently: boolean): void {
    this.#isVanished = true;
    this.pipe.vanish(silently);
    this.#writeTimeout?.cancel();
  }

  #sendHead(): void {
    if (this.#hasHead) return;
    this.#hasHead = true;
    const status = Number.parseInt(this.#status, 10);
    this.pipe.push(() => this.#peer.head(status));
  }

  #drained(): void {
    this.#writeTimeout?.cancel();
    if (this.pipe.isChoked || this.pipe.backlog > 0) this.#wait();
    else if (this.#isFull) this.#roomAgain();
  }

  #roomAgain(): void {
    this.#isFull = false;
    this.#writable(0);
  }

  #wait(): void {
    this.#writeTimeout?.cancel();
    this.#writeTimeout = this.#relayClock.after(WRITE_TIMEOUT_MS, () => {
      if (!this.pipe.isOpen) return;
      this.pipe.end(1006, '');
      this.#abort();
    });
  }

  #abort(): void {
    this.#finish();
    this.#aborted();
  }

  #finish(): void {
    this.#writeTimeout?.cancel();
    this.#over(this);
  }

  #mustBeOpen(): void {
    if (!this.pipe.isOpen) throw new Error('uWS.HttpResponse must not be accessed after it has ended.');
  }
}
