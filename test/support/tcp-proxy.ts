import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What a link does with what is sent over it: all passes; nothing does, in silence; or pub/sub signals do not. */
export type LinkState = 'passes' | 'swallows' | 'drops signals';

/**
 * A link to a server that fails as networks do. While it swallows, connections stand and new ones are
 * taken, but nothing arrives, neither data nor the end of a connection; afterwards it does, since TCP sends again.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: { readonly port: number; readonly host: string };
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #state: LinkState = 'passes';
  /** Signals that were dropped. */
  dropped = 0;

  private constructor(target: { port: number; host: string }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => this.#join(near));
  }

  /** Starts a link to `target`, a port of loopback or of another host, at a port that may be chosen. */
  static async start(target: number | { port: number; host: string }, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(typeof target === 'number' ? { port: target, host: '127.0.0.1' } : target);
    proxy.#server.listen(port, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that stand. */
  get connections(): number {
    return this.#pairs.size;
  }

  set(state: LinkState): void {
    this.#state = state;
    for (const pair of this.#pairs) this.#settle(pair);
  }

  /** Ends every connection, and what was under way on it is lost. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Ends the link and whatever uses it. */
  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    const far = connect({ ...this.#target, allowHalfOpen: true });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => near.write(this.#state === 'drops signals' ? this.#withoutSignals(data) : data));
    near.on('end', () => far.end());
    far.on('end', () => near.end());
    for (const socket of pair) {
      socket.on('error', () => {}); // `close` follows
      socket.on('close', () => this.#settle(pair));
    }
    this.#settle(pair);
  }

  /** Lets a pair of sockets flow or stand still; where one is closed and that may be known, so is the other. */
  #settle(pair: readonly [Socket, Socket]): void {
    const still = this.#state === 'swallows';
    for (const socket of pair) {
      if (still) socket.pause();
      else if (pair.some(({ destroyed }) => destroyed)) socket.destroy();
      else socket.resume();
    }
    if (pair.every(({ destroyed }) => destroyed)) this.#pairs.delete(pair);
  }

  /** Leaves out what is said on channels. Signals must not be cut in two, as short ones are not on loopback. */
  #withoutSignals(data: Buffer): Buffer {
    const text = data.toString('latin1');
    const rest = text.replace(/[*>]3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n[^\r]*\r\n/g, () => {
      this.dropped += 1;
      return '';
    });
    return Buffer.from(rest, 'latin1');
  }
}
