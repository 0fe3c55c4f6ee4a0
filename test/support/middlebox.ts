import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TransportName } from '../../services/client/transport.ts';

/** How a transport is blocked: by an error response that is not the relay's, or by silence. */
export type Block = 'rejected' | 'dropped';

/** A proxy between browsers and relays that balances connections and blocks transports, as a corporate proxy does. */
export class Middlebox implements AsyncDisposable {
  /** Ports of the relays. Each request goes to the first one that accepts it. */
  targets: readonly number[];
  readonly blocks = new Map<TransportName, Block>();
  /** The transport of each request, blocked or not; requests for files are left out. */
  readonly seen: TransportName[] = [];
  readonly #sockets = new Set<Duplex>();
  readonly #server = createServer((req, res) => this.#request(req, res));

  private constructor(targets: readonly number[]) {
    this.targets = targets;
    this.#server.on('connection', (socket) => this.#track(socket));
    this.#server.on('upgrade', (req, socket, head) => this.#upgrade(req, socket, head));
  }

  static async start(...targets: readonly number[]): Promise<Middlebox> {
    const middlebox = new Middlebox(targets);
    middlebox.#server.listen(0, '127.0.0.1');
    await once(middlebox.#server, 'listening');
    return middlebox;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Destroys every connection, as a network failure does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** Returns whether a transport may pass; undefined if its request gets no response. */
  #passes(transport: TransportName): boolean | undefined {
    this.seen.push(transport);
    const block = this.blocks.get(transport);
    return block === 'dropped' ? undefined : block === undefined;
  }

  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const passes = this.#passes('websocket');
    if (passes === false) socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    if (!passes) return;
    const headers = Object.entries(req.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#join(socket, `GET ${req.url} HTTP/1.1\r\n${headers.join('')}\r\n`, head);
  }

  /** Connects a client to the first relay that accepts it. */
  #join(near: Duplex, ...first: (string | Buffer)[]): void {
    const [port, ...others] = this.targets;
    const reach = (to: number | undefined, rest: readonly number[]): void => {
      if (to === undefined) return void near.destroy();
      const far: Socket = connect(to, '127.0.0.1');
      this.#track(far);
      far.once('error', () => far.pending && reach(rest[0], rest.slice(1)));
      far.once('connect', () => {
        for (const data of first) far.write(data);
        near.pipe(far).pipe(near);
        for (const [one, other] of [
          [near, far],
          [far, near],
        ] as const)
          one.on('close', () => other.destroy());
      });
    };
    reach(port, others);
  }

  #request(req: IncomingMessage, res: ServerResponse): void {
    const { pathname } = new URL(req.url ?? '/', this.url);
    const transport = pathname === '/events' ? 'sse' : pathname.startsWith('/topics/') ? 'longpoll' : undefined;
    const passes = transport && req.method === 'GET' ? this.#passes(transport) : true;
    if (passes === false) res.writeHead(403, { 'content-type': 'text/html' }).end('<h1>Blocked</h1>');
    if (passes) this.#forward(req, res, this.targets);
  }

  #forward(req: IncomingMessage, res: ServerResponse, [port, ...others]: readonly number[]): void {
    if (port === undefined) return void res.destroy();
    const { method, url, headers } = req;
    const onward = request({ host: '127.0.0.1', port, path: url, method, headers, agent: false }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
      answer.on('error', () => res.destroy());
    });
    onward.on('error', () => (res.headersSent ? res.destroy() : this.#forward(req, res, others)));
    res.on('close', () => onward.destroy());
    onward.end();
  }
}
