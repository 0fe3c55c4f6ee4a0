import { once } from 'node:events';
import WebSocket from 'ws';

/** A WebSocket client that records everything it receives. */
export class WsClient implements Disposable {
  readonly socket: WebSocket;
  readonly texts: string[] = [];
  pings = 0;
  closed: { code: number; reason: string } | undefined;

  constructor(url: string, options: WebSocket.ClientOptions = {}) {
    this.socket = new WebSocket(url, options);
    this.socket.on('message', (data) => this.texts.push(String(data)));
    this.socket.on('ping', () => {
      this.pings += 1;
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    this.socket.on('error', () => {});
  }

  /** Connects; rejects if the server does. */
  static async open(url: string, options: WebSocket.ClientOptions = {}): Promise<WsClient> {
    const client = new WsClient(url, options);
    await once(client.socket, 'open');
    return client;
  }

  /** The received messages, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  get messages(): any[] {
    return this.texts.map((text) => JSON.parse(text));
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  ofType(type: string): any[] {
    return this.messages.filter((message) => message.type === type);
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Stops reading, as a hung client does. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.close();
  }

  /** Destroys the connection without a close frame. */
  terminate(): void {
    this.socket.terminate();
  }

  [Symbol.dispose](): void {
    this.terminate();
  }
}
