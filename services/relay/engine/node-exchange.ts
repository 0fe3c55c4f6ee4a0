import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpRequest, HttpResponse } from './engine.ts';

/** Accepts the WebSocket of a request. */
export type AcceptUpgrade = (userData: unknown) => void;

/** A request to the engine on `node:http`. */
export class NodeRequest implements HttpRequest {
  readonly #request: IncomingMessage;
  readonly #path: string;
  readonly #query: string;

  constructor(request: IncomingMessage) {
    this.#request = request;
    // Clients of proxies send the whole URL (RFC 9112, section 3.2.2).
    const target = (request.url ?? '').replace(/^https?:\/\/[^/?]*/i, '');
    const end = target.indexOf('?');
    this.#path = end < 0 ? target : target.slice(0, end);
    this.#query = end < 0 ? '' : target.slice(end + 1);
  }

  getMethod(): string {
    return this.#request.method?.toLowerCase() ?? '';
  }

  getUrl(): string {
    return this.#path;
  }

  getQuery(): string {
    return this.#query;
  }

  getHeader(name: string): string {
    return String(this.#request.headers[name] ?? '');
  }

  forEach(visit: (name: string, value: string) => void): void {
    const { rawHeaders } = this.#request;
    for (let i = 0; i < rawHeaders.length; i += 2) visit((rawHeaders[i] ?? '').toLowerCase(), rawHeaders[i + 1] ?? '');
  }
}

/** A response of the engine on `node:http`. */
export class NodeResponse implements HttpResponse {
  readonly #response: ServerResponse;
  readonly #closes: () => boolean;
  readonly #accept: AcceptUpgrade | undefined;

  /**
   * @param closes whether the response ends its connection, asked when it begins
   * @param accept undefined if the request is not an upgrade
   */
  constructor(response: ServerResponse, closes: () => boolean, accept?: AcceptUpgrade) {
    this.#response = response;
    this.#closes = closes;
    this.#accept = accept;
  }

  getRemoteAddressAsText(): ArrayBuffer {
    return new TextEncoder().encode(this.#response.socket?.remoteAddress ?? '').buffer as ArrayBuffer;
  }

  cork(write: () => void): void {
    write(); // Node sends the head together with the first chunk
  }

  writeStatus(status: string): void {
    this.#response.statusCode = Number.parseInt(status, 10);
    if (this.#closes()) this.#response.shouldKeepAlive = false;
  }

  writeHeader(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  write(chunk: string): boolean {
    return this.#response.write(chunk);
  }

  end(body?: string | Uint8Array, closeConnection = false): void {
    this.#end(closeConnection, body);
  }

  endWithoutBody(_reportedLength?: number, closeConnection = false): void {
    this.#end(closeConnection);
  }

  /** Ends the response: all clients share the bytes, so that those that wait cost no memory. */
  tryEnd(body: Uint8Array): [boolean, boolean] {
    this.#end(false, body);
    return [true, true];
  }

  close(): void {
    this.#response.socket?.destroy();
  }

  onWritable(handler: (offset: number) => boolean): void {
    this.#response.on('drain', () => handler(0));
  }

  onAborted(handler: () => void): void {
    this.#response.once('close', () => {
      if (!this.#response.writableEnded) handler();
    });
  }

  upgrade<T>(userData: T): void {
    this.#accept?.(userData);
  }

  #end(closeConnection: boolean, body?: string | Uint8Array): void {
    if (closeConnection) this.#response.shouldKeepAlive = false;
    this.#response.end(body);
  }
}
