import WebSocket from 'ws';

const RETRY_MS = 200;

/** A client of `/ws` that does what the library does: comes back when it was told to, with the version it has. */
export class ReconnectingClient {
  readonly topic: string;
  readonly #url: string;
  #socket: WebSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #ended = false;
  /** The newest version that it was told. */
  version = 0;
  listens = false;
  /** Times that it would have asked the app: each update once, however often it was told. */
  fetches = 0;
  /** Updates of which it had the version already. */
  spurious = 0;
  /** When it connected, in milliseconds. */
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
      this.listens = false;
      if (this.#ended) return;
      const delayMs = code === 1012 ? Number(String(reason)) : RETRY_MS;
      this.#retry = setTimeout(() => this.#connect(), delayMs);
    });
  }

  #message(message: { type: string; version?: number; topics?: Record<string, number | null> }): void {
    if (message.type === 'subscribed') {
      const number = message.topics?.[this.topic];
      if (number === null || number === undefined) return;
      this.listens = true;
      if (this.version === 0) this.version = number;
    } else if (message.type === 'update') {
      if (message.version === this.version) this.spurious += 1;
      else this.fetches += 1;
      this.version = message.version ?? this.version;
    }
  }
}
