import WebSocket from 'ws';

const RETRY_MS = 200;

/** A client of `/ws` that behaves as the library: reconnects when the relay asks for it, with its version. */
export class ReconnectingClient {
  readonly topic: string;
  readonly #url: string;
  #socket: WebSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #ended = false;
  /** The newest version received. */
  version = 0;
  isSubscribed = false;
  /** The number of fetches from the app: one per update. */
  fetches = 0;
  /** The number of notifications of a version that it had already. */
  spurious = 0;
  /** The times at which it connected, in milliseconds. */
  readonly connectsMs: number[] = [];

  constructor(deps: { url: string; topic: string }) {
    this.#url = deps.url;
    this.topic = deps.topic;
    this.#connect();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
    this.#socket?.terminate();
  }

  #connect(): void {
    const since = this.version > 0 ? `&since=${this.version}` : '';
    const socket = new WebSocket(`${this.#url}/ws?topic=${this.topic}${since}`, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on('open', () => this.connectsMs.push(performance.now()));
    socket.on('message', (data) => this.#message(JSON.parse(String(data))));
    socket.on('error', () => {}); // `close` follows
    socket.on('close', (code, reason) => {
      this.isSubscribed = false;
      if (this.#ended) return;
      const delayMs = code === 1012 ? Number(String(reason)) : RETRY_MS;
      this.#retry = setTimeout(() => this.#connect(), delayMs);
    });
  }

  #message(message: { type: string; version?: number; topics?: Record<string, number | null> }): void {
    if (message.type === 'subscribed') {
      const version = message.topics?.[this.topic];
      if (version === null || version === undefined) return;
      this.isSubscribed = true;
      if (this.version === 0) this.version = version;
    } else if (message.type === 'update') {
      if (message.version === this.version) this.spurious += 1;
      else this.fetches += 1;
      this.version = message.version ?? this.version;
    }
  }
}
