import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What a link does with data: passes it; drops everything silently; or drops only pub/sub signals. */
export type LinkState = 'passes' | 'swallows' | 'drops signals';

/**
 * A link to a server that fails as networks do. While it swallows, connections stay open and new ones are accepted, but
 * neither data nor the end of a connection arrives. It arrives afterwards, as TCP retransmits. Disposing stops it.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  #target: { readonly port: number; readonly host: string };
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #state: LinkState = 'passes';
  #delayMs = 0;
  /** Number of dropped signals. */
  dropped = 0;

  private constructor(target: { port: number; host: string }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => this.#join(near));
  }

  /** Starts a link to `target`, a port of loopback or of another host. */
  static async start(target: number | { port: number; host: string }, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(typeof target === 'number' ? { port: target, host: '127.0.0.1' } : target);
    proxy.#server.listen(port, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Open connections. */
  get connections(): number {
    return this.#pairs.size;
  }

  set(state: LinkState): void {
    this.#state = state;
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Delays data in each direction, from now on. It must not become shorter while data is under way. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Connects new connections to another port of loopback; those that exist stay. */
  moveTo(port: number): void {
    this.#target = { port, host: '127.0.0.1' };
  }

  /** Resets every connection; data in transit is lost. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Closes the link and its connections. */
  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #join(near: Socket): void {
    const far = connect({ ...this.#target, allowHalfOpen: true });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    near.on('data', (data) => this.#pass(far, () => far.write(data)));
    far.on('data', (data) => {
      const rest = this.#state === 'drops signals' ? this.#withoutSignals(data) : data;
      this.#pass(near, () => near.write(rest));
    });
    near.on('end', () => this.#pass(far, () => far.end()));
    far.on('end', () => this.#pass(near, () => near.end()));
    for (const socket of pair) {
      socket.on('error', () => {}); // `close` follows
      socket.on('close', () => this.#apply(pair));
    }
    this.#apply(pair);
  }

  /** Passes something on after the delay, unless the socket is closed by then. */
  #pass(socket: Socket, pass: () => void): void {
    if (this.#delayMs === 0) pass();
    else setTimeout(() => socket.writable && pass(), this.#delayMs);
  }

  /** Resumes or pauses a pair of sockets. If one is closed and the link passes that on, closes the other. */
  #apply(pair: readonly [Socket, Socket]): void {
    const still = this.#state === 'swallows';
    for (const socket of pair) {
      if (still) socket.pause();
      else if (pair.some(({ destroyed }) => destroyed)) socket.destroy();
      else socket.resume();
    }
    if (pair.every(({ destroyed }) => destroyed)) this.#pairs.delete(pair);
  }

  /** Removes pub/sub messages. A message must not be split over two reads; on loopback short ones are not. */
  #withoutSignals(data: Buffer): Buffer {
    const text = data.toString('latin1');
    const rest = text.replace(/[*>]3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n[^\r]*\r\n/g, () => {
      this.dropped += 1;
      return '';
    });
    return Buffer.from(rest, 'latin1');
  }
}
