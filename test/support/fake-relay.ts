import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** A client's WebSocket as the fake relay sees it. */
export class FakeConnection {
  readonly url: URL;
  readonly #socket: WebSocket;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  readonly messages: any[] = [];
  isOpen = true;

  constructor(socket: WebSocket, url: URL) {
    this.#socket = socket;
    this.url = url;
    socket.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    socket.on('close', () => {
      this.isOpen = false;
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  ofType(type: string): any[] {
    return this.messages.filter((message) => message.type === type);
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  close(code: number, reason = ''): void {
    this.#socket.close(code, reason);
  }

  /** Cuts the line without a word. */
  cut(): void {
    this.#socket.terminate();
  }
}

/** What a test wants the relay to answer over plain HTTP. */
export type FakeHttp = (request: IncomingMessage & { at: URL }, response: ServerResponse) => void;

/** A relay that says exactly what a test tells it to. */
export async function startFakeRelay(options: { http?: FakeHttp; webSocket?: boolean } = {}) {
  const connections: FakeConnection[] = [];
  const requests: URL[] = [];
  const server = createServer((request, response) => {
    const at = new URL(request.url ?? '/', 'http://fake');
    requests.push(at);
    if (options.http) options.http(Object.assign(request, { at }), response);
    else response.writeHead(404).end();
  });
  const webSockets = new WebSocketServer({ noServer: true });
  let refusals = 0;
  const relay = {
    connections,
    /** Every request over plain HTTP. */
    requests,
    /** Whether WebSockets are let in. */
    webSocket: options.webSocket ?? true,
    /** How many WebSockets were not. */
    get refusals() {
      return refusals;
    },
    port: 0,
    url: '',
    /** The newest connection. */
    get last(): FakeConnection {
      const last = connections.at(-1);
      if (!last) throw new Error('nobody has connected yet');
      return last;
    },
    get open(): number {
      return connections.filter((connection) => connection.isOpen).length;
    },
    async listen(port = 0): Promise<void> {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      relay.port = (server.address() as AddressInfo).port;
      relay.url = `http://127.0.0.1:${relay.port}`;
    },
    async stop(): Promise<void> {
      for (const connection of connections) connection.cut();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on('upgrade', (request, socket, head) => {
    if (!relay.webSocket) {
      refusals += 1;
      socket.destroy();
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      connections.push(new FakeConnection(webSocket, new URL(request.url ?? '/', 'http://fake')));
    });
  });
  await relay.listen();
  return relay;
}

export type FakeRelay = Awaited<ReturnType<typeof startFakeRelay>>;
