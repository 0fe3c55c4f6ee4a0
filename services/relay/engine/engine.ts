import type { TlsFiles } from './tls-files.ts';

/**
 * Ports of the public server. They are the part of the API of uWebSockets.js that the transports use, so that its objects
 * fit without an adapter, and an update still costs one native call for all subscribers.
 */

/** A request. Use it only in the handler that received it, before anything asynchronous. */
export interface HttpRequest {
  /** Returns the method in lower case. */
  getMethod(): string;
  /** Returns the path, not decoded. */
  getUrl(): string;
  /** Returns the query without `?`; empty if there is none. */
  getQuery(): string;
  /** Returns the first header of this lower-case name; empty if there is none. */
  getHeader(name: string): string;
  /** Visits each header line. Names are in lower case. */
  forEach(visit: (name: string, value: string) => void): void;
}

/** A response. After it has ended or was aborted, nothing may be called any more. */
export interface HttpResponse {
  /** Returns the address of the peer as ASCII bytes. */
  getRemoteAddressAsText(): ArrayBuffer;
  /** Collects what `write` writes into as few packets as possible. */
  cork(write: () => void): unknown;
  /** @param status code and reason, such as `200 OK` */
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string): unknown;
  /** Writes a chunk of the body. Returns false if it had to be buffered: then write no more until `onWritable`. */
  write(chunk: string): boolean;
  end(body?: string, closeConnection?: boolean): unknown;
  endWithoutBody(reportedLength?: number, closeConnection?: boolean): unknown;
  /** Writes as much of the body as the connection takes. Returns whether it was written without buffering, and whether the response has ended. */
  tryEnd(bodyOrRest: Uint8Array, totalBytes: number): [boolean, boolean];
  /** Closes the connection at once. */
  close(): unknown;
  onWritable(handler: (offset: number) => boolean): unknown;
  /** The handler is called if the connection is lost before the response has ended. */
  onAborted(handler: () => void): unknown;
  /** Accepts a WebSocket: `open` follows, with `userData`. */
  upgrade<T>(userData: T, key: string, protocol: string, extensions: string, context: object): void;
}

/** A WebSocket. After `close` was called back, nothing may be called any more. */
export interface WebSocket<T> {
  getUserData(): T;
  /** Bytes that wait because the client reads too slowly, without the buffers of the operating system. */
  getBufferedAmount(): number;
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  /** Returns 2, and sends nothing, if more than `maxBackpressure` bytes wait already. */
  send(text: string): number;
  ping(): unknown;
  /** Sends a close frame and closes. Calls `close` back at once. */
  end(code: number, reason: string): void;
  /** Closes without a close frame. Calls `close` back at once. */
  close(): unknown;
}

/** Settings and handlers of the WebSockets under one path. */
export interface WebSocketBehavior<T> {
  /** In bytes; longer messages end the connection. */
  readonly maxPayloadLength?: number;
  /** In bytes; further messages are dropped. One message may exceed it. */
  readonly maxBackpressure?: number;
  /** Always 0: connections are not closed for being idle. */
  readonly idleTimeout?: number;
  readonly sendPingsAutomatically?: boolean;
  /** Receives a handshake: calls `res.upgrade`, or ends the response. */
  readonly upgrade?: (res: HttpResponse, req: HttpRequest, context: object) => void;
  readonly open?: (ws: WebSocket<T>) => void;
  readonly message?: (ws: WebSocket<T>, message: ArrayBuffer | Uint8Array, isBinary: boolean) => void;
  readonly ping?: (ws: WebSocket<T>, payload: ArrayBuffer) => void;
  readonly pong?: (ws: WebSocket<T>, payload: ArrayBuffer) => void;
  /** A message was dropped. May be called while `publish` runs. */
  readonly dropped?: (ws: WebSocket<T>, message: ArrayBuffer, isBinary: boolean) => void;
  /** The client has read some of what waited. */
  readonly drain?: (ws: WebSocket<T>) => void;
  readonly close?: (ws: WebSocket<T>, code: number, reason: ArrayBuffer) => void;
}

/** Handles a request. */
export type HttpHandler = (res: HttpResponse, req: HttpRequest) => void;

/** The paths of a public server. A path that ends with `*` matches every path that begins so; the longest match wins. */
export interface App {
  get(path: string, handler: HttpHandler): unknown;
  head(path: string, handler: HttpHandler): unknown;
  options(path: string, handler: HttpHandler): unknown;
  /** Handles the requests of all methods that have no handler of their own. */
  any(path: string, handler: HttpHandler): unknown;
  ws<T>(path: string, behavior: WebSocketBehavior<T>): unknown;
  numSubscribers(topic: string): number;
  /** Sends a text message to all WebSockets that are subscribed to a topic. */
  publish(topic: string, text: string): unknown;
}

/** The part of the paths that is plain HTTP. */
export type HttpApp = Pick<App, 'get' | 'head' | 'options' | 'any'>;

/** The public server of a relay. Transports add their paths to `app`, before `listen`. */
export interface Engine {
  readonly app: App;
  /** Open sockets: clients, and connections without an accepted request. */
  readonly sockets: number;
  /**
   * Starts to listen and resolves with the port, which the system chooses for port 0.
   * @param options.shared whether other processes may listen on the same port
   * @throws {StartError} if the address cannot be used
   */
  listen(options: { host: string; port: number; shared: boolean }): Promise<number>;
  /** From now on each response, except an accepted WebSocket, ends its connection. */
  closeAfterResponses(): void;
  /** Accepts no new connections; open ones stay open. */
  stopListening(): void;
  /** Closes all open connections. */
  close(): void;
}

/** Settings of an engine. */
export interface EngineOptions {
  readonly tls: TlsFiles | undefined;
  /** Limit of open sockets; 0 for no limit. */
  readonly maxSockets: number;
  /** Called for each socket over the limit, which is closed before its first request. */
  readonly refused: () => void;
}
