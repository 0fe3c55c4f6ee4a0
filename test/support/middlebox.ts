import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TransportName } from '../../services/client/transport.ts';

/** How a transport is blocked: an error that is not the relay's, or silence. */
export type Block = 'refused' | 'swallowed';

/**
 * What stands between browsers and relays: it balances, as a load balancer does, and lets only some transports
 * through, as the proxy of a company or a hotel does.
 */
export class Middlebox {
  /** The ports of relays, each new request to the first one that takes it. */
  targets: readonly number[];
  readonly blocks = new Map<TransportName, Block>();
  /** By which transport each request came, blocked or not; files and the like are left out. */
  readonly seen: TransportName[] = [];
  readonly #sockets = new Set<Duplex>();
  readonly #server = createServer((req, res) => this.#request(req, res));

  private constructor(targets: readonly number[]) {
    this.targets = targets;
    this.#server.on('connection', (socket) => this.#note(socket));
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

  /** Ends every connection, as a network that goes away. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #note(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** Whether a transport may pass; undefined where it is left waiting. */
  #passes(transport: TransportName): boolean | undefined {
    this.seen.push(transport);
    const block = this.blocks.get(transport);
    return block === 'swallowed' ? undefined : block === undefined;
  }

  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const passes = this.#passes('websocket');
    if (passes === false) socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    if (!passes) return;
    const headers = Object.entries(req.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#join(socket, `GET ${req.url} HTTP/1.1\r\n${headers.join('')}\r\n`, head);
  }

  /** Joins a client with the first relay that takes it. */
  #join(near: Duplex, ...first: (string | Buffer)[]): void {
    const [port, ...others] = this.targets;
    const reach = (to: number | undefined, rest: readonly number[]): void => {
      if (to === undefined) return void near.destroy();
      const far: Socket = connect(to, '127.0.0.1');
      this.#note(far);
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
