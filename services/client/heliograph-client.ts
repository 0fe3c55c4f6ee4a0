import type { ErrorMessage, ServerMessage, UpdateMessage } from '../shared/protocol/server-message.ts';
import { Connector, type Status } from './connector.ts';
import { openWebSocket, type WebSocketClass } from './websocket-line.ts';

export type { Status } from './connector.ts';

/** "Look now": what a topic has become. */
export type TopicUpdate = Omit<UpdateMessage, 'type'>;

/** What `on` hands over. */
export interface HeliographEvents {
  update: TopicUpdate;
  status: Status;
  /** The relay refused something; `code` is one of the documented ones. */
  error: Omit<ErrorMessage, 'type'>;
}

export interface HeliographOptions {
  readonly topics?: readonly string[];
  /** The version of each topic that the page already shows; what changed since is told. */
  readonly since?: Readonly<Record<string, number | null>>;
  /** For Node before 22, which has none of its own: the class of the `ws` package. */
  readonly WebSocket?: unknown;
}

type Handlers = { [E in keyof HeliographEvents]: Set<(event: HeliographEvents[E]) => void> };

/**
 * Listens to topics on a relay, and comes back by itself whenever the line is lost: what changed meanwhile is
 * told then. Works in browsers and in Node.
 */
export class Heliograph {
  readonly #connector: Connector;
  readonly #topics = new Map<string, number | null>();
  readonly #handlers: Handlers = { update: new Set(), status: new Set(), error: new Set() };
  /** What was known when each topic was asked for on this line. */
  #asked = new Map<string, number | null>();
  #status: Status | undefined;

  /** `url` is the relay's address, http(s) or ws(s); in a page it may be relative to the page's. */
  constructor(url: string, options: HeliographOptions = {}) {
    const Socket = (options.WebSocket ?? globalThis.WebSocket) as WebSocketClass | undefined;
    if (!Socket) throw new TypeError('There is no WebSocket here: hand one in as the option WebSocket');
    for (const topic of options.topics ?? []) this.#topics.set(topic, options.since?.[topic] ?? null);
    this.#connector = new Connector({
      url: new URL(url, globalThis.location?.href).href.replace(/^ws/, 'http').replace(/\/*([?#].*)?$/, ''),
      topics: this.#topics,
      open: (line) => {
        this.#asked = new Map(line.topics);
        return openWebSocket(Socket, line);
      },
      message: (message) => this.#message(message),
      status: (status) => this.#setStatus(status),
    });
    this.#connector.connect();
  }

  get status(): Status {
    return this.#status ?? 'connecting';
  }

  /** Calls back on each event; returns what ends that. */
  on<E extends keyof HeliographEvents>(event: E, handler: (event: HeliographEvents[E]) => void): () => void {
    const handlers = this.#handlers[event];
    handlers.add(handler);
    return () => void handlers.delete(handler);
  }

  /** Listens to one more topic. With `since` the relay tells at once where something changed after it. */
  subscribe(topic: string, since: number | null = null): void {
    const known = since ?? this.#topics.get(topic) ?? null;
    this.#topics.set(topic, known);
    this.#asked.set(topic, known);
    this.#connector.subscribe(new Map([[topic, known]]));
  }

  unsubscribe(topic: string): void {
    if (this.#topics.delete(topic)) this.#connector.unsubscribe(topic);
  }

  /** Ends everything; no handler is called after the last status. */
  close(): void {
    this.#connector.close();
    for (const handlers of Object.values(this.#handlers)) handlers.clear();
  }

  #message(message: ServerMessage): void {
    if (message.type === 'update' && this.#topics.has(message.topic)) {
      const { type: _, ...update } = message;
      this.#topics.set(update.topic, update.version);
      this.#asked.set(update.topic, update.version);
      this.#tell('update', update);
    } else if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) this.#subscribed(topic, version);
    } else if (message.type === 'error') {
      const { type: _, ...error } = message;
      this.#tell('error', error);
    }
  }

  #subscribed(topic: string, version: number | null): void {
    if (!this.#topics.has(topic)) return;
    // Where the number is not the one that was asked with, an update follows. Until that is here the old one
    // stays, or what it tells would be lost with a line that ends in between.
    if (version !== null && this.#asked.get(topic) === null) this.#topics.set(topic, version);
    // Nobody knows what happened since it was first asked for; on the next line that must be told.
    else if (version === null && this.#topics.get(topic) === null) this.#topics.set(topic, 0);
  }

  #setStatus(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#tell('status', status);
  }

  #tell<E extends keyof HeliographEvents>(event: E, value: HeliographEvents[E]): void {
    for (const handler of [...this.#handlers[event]]) {
      try {
        handler(value);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
