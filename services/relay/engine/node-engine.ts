import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { createRefuseMalformed } from '../../shared/http/malformed-request.ts';
import { PendingResponses } from '../../shared/http/pending-responses.ts';
import { listenError, StartError } from '../../shared/start-error.ts';
import type { Engine, EngineOptions, WebSocket, WebSocketBehavior } from './engine.ts';
import { NodeApp } from './node-app.ts';
import { NodeRequest, NodeResponse } from './node-exchange.ts';
import { NodeWebSocket, ProtocolSocket } from './node-websocket.ts';
import { TLS_CIPHERS, type TlsFiles, tlsError } from './tls-files.ts';

/** Size of the buffer of a connection: writes beyond it signal backpressure. */
const HIGH_WATER_MARK_BYTES = 64 * 1024;
/** For the head of a request, and for a TLS handshake. */
const HEAD_TIMEOUT_MS = 10_000;
/** A client that takes nothing of a response is closed after twice this time. */
const STALL_CHECK_MS = 5000;
/** Longer than the usual 60 s of proxies: the side that reuses a connection must be the one that closes it. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const TIMEOUT_CHECK_INTERVAL_MS = 1000;
/** A client has this long to answer a close frame, or to read a refusal of its handshake. */
const CLOSE_TIMEOUT_MS = 5000;
/** A fragment of a message, which takes about 200 bytes beside its content, counts as this many bytes at least. */
const MIN_FRAGMENT_BYTES = 256;
/** Close code of connections that were closed without a close frame (RFC 6455, section 7.1.5). */
const ABNORMAL = 1006;

const SERVER_OPTIONS = {
  highWaterMark: HIGH_WATER_MARK_BYTES,
  headersTimeout: HEAD_TIMEOUT_MS,
  requestTimeout: 2 * HEAD_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
};

/** The public server on `node:http` and `ws`: runs wherever Node runs. */
export class NodeEngine implements Engine {
  readonly app = new NodeApp();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pending = new PendingResponses();
  #closesAfterResponses = false;
  readonly #closes = () => this.#closesAfterResponses;
  readonly #protocols = new Map<WebSocketBehavior<unknown>, WebSocketServer>();

  /** @throws {StartError} if the TLS files are invalid */
  constructor({ tls, maxSockets, refused }: EngineOptions) {
    this.#server = tls ? createTls(tls) : createServer(SERVER_OPTIONS);
    this.#server.on('connection', (socket: Socket) => {
      if (maxSockets > 0 && this.#sockets.size >= maxSockets) {
        refused();
        return void socket.destroy();
      }
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (request, response) => this.#receive(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#receiveUpgrade(request, socket as Socket, head));
    const oldestPending = (socket: Socket) => this.#pending.oldest(socket);
    const refuseMalformed = createRefuseMalformed({ oldestPending, refused: undefined });
    this.#server.on('clientError', (error, socket) => refuseMalformed(error, socket as Socket));
    this.#server.setTimeout(STALL_CHECK_MS, (socket) => this.#stalled(socket));
  }

  get sockets(): number {
    return this.#sockets.size;
  }

  listen({ host, port, shared }: { host: string; port: number; shared: boolean }): Promise<number> {
    if (shared && !canSharePorts()) {
      throw new StartError(
        'RELAY_PROCESSES must be 1 with RELAY_ENGINE=node on Node below 22.12: it cannot share a port',
      );
    }
    return new Promise((resolve, reject) => {
      this.#server.on('error', (error) => reject(listenError(error, { host, port })));
      const options = { host, port, ...(shared ? { reusePort: true } : {}) };
      this.#server.listen(options, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  closeAfterResponses(): void {
    this.#closesAfterResponses = true;
  }

  stopListening(): void {
    this.#server.close();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Called if nothing was read or written for some time. Node checks twice whether a write makes progress. */
  #stalled(socket: Socket): void {
    const waits = this.#pending.oldest(socket) !== undefined || !this.#pending.hasHad(socket);
    if (waits && socket.writableLength === 0) socket.setTimeout(STALL_CHECK_MS);
    else socket.destroy();
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#pending.add(request.socket, response)) return;
    request.resume(); // a body is discarded as it arrives: Node would keep a buffer for each of its chunks
    this.#handle(new NodeRequest(request), new NodeResponse(response, this.#closes));
  }

  /** Receives a request with the header `Upgrade`, for which Node makes no response: it may be a plain request all the same. */
  #receiveUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    if (this.#pending.oldest(socket)) return void socket.destroy(); // its response would have to wait for another one
    socket.on('error', () => {}); // a close follows
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    const req = new NodeRequest(request);
    const behavior = this.app.behaviorFor(req);
    let isUpgraded = false;
    const accept = (userData: unknown): void => {
      isUpgraded = true;
      response.detachSocket(socket);
      if (behavior) this.#upgrade({ request, socket, head, behavior, userData });
    };
    this.#handle(req, new NodeResponse(response, this.#closes, accept));
    if (isUpgraded) return;
    this.#pending.add(socket, response);
    socket.on('drain', () => response.emit('drain'));
    socket.once('end', () => socket.destroy());
    socket.resume(); // to notice the end
    response.once('finish', () => {
      socket.end();
      setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref();
    });
  }

  #handle(req: NodeRequest, res: NodeResponse): void {
    const behavior = this.app.behaviorFor(req);
    if (behavior) behavior.upgrade?.(res, req, {});
    else this.app.handle(res, req);
  }

  #upgrade(deps: {
    request: IncomingMessage;
    socket: Socket;
    head: Buffer;
    behavior: WebSocketBehavior<unknown>;
    userData: unknown;
  }): void {
    const { request, socket, head, behavior, userData } = deps;
    let isOpen = false;
    request.headers.upgrade = 'websocket'; // `ws` takes no list of protocols
    socket.cork(); // what `open` sends leaves together with the response
    this.#protocolOf(behavior).handleUpgrade(request, socket, head, (protocol) => {
      isOpen = true;
      new NodeWebSocket({
        protocol: protocol as ProtocolSocket,
        socket,
        behavior,
        topics: this.app.topics,
        userData,
      }).open();
    });
    socket.uncork();
    if (isOpen) return;
    // The client has gone, or `ws` refused its headers: its admission must be released.
    const refused = { getUserData: () => userData } as WebSocket<unknown>;
    behavior.close?.(refused, ABNORMAL, new ArrayBuffer(0));
  }

  #protocolOf(behavior: WebSocketBehavior<unknown>): WebSocketServer {
    const known = this.#protocols.get(behavior);
    if (known) return known;
    const maxPayload = behavior.maxPayloadLength ?? 0;
    const maxFragments = Math.ceil(maxPayload / MIN_FRAGMENT_BYTES);
    const options = {
      noServer: true,
      clientTracking: false,
      autoPong: false, // a client that reads nothing must not fill a buffer with pongs
      perMessageDeflate: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
      maxPayload,
      maxFragments,
      maxBufferedChunks: maxFragments,
      WebSocket: ProtocolSocket,
    };
    const protocol = new WebSocketServer(options);
    this.#protocols.set(behavior, protocol);
    return protocol;
  }
}

/** Without them, Node would offer TLS 1.2 only. */
const TLS_1_3_CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

function createTls({ certFile, keyFile }: TlsFiles): Server {
  try {
    const files = {
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      ciphers: `${TLS_1_3_CIPHERS}:${TLS_CIPHERS}`,
    };
    return createTlsServer({ ...SERVER_OPTIONS, ...files, handshakeTimeout: HEAD_TIMEOUT_MS });
  } catch (cause) {
    throw tlsError(cause);
  }
}

/** Whether this version of Node can share a port among processes: from 22.12 on. */
function canSharePorts(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 12);
}
