import type { ErrorMessage, ServerMessage } from '../shared/protocol/server-message.ts';
import { isTopic } from '../shared/update/topic.ts';
import { createConnector } from './connector.ts';
import { type KnownVersions, learn } from './known-versions.ts';
import { openLongPoll } from './long-poll-connection.ts';
import { openSse } from './sse-connection.ts';
import { canShare, createTabSource } from './tab-source.ts';
import { openWithToken, type TokenOption } from './token-connection.ts';
import type { OpenConnection, Source, Status, TokenConnection, TransportName } from './transport.ts';
import { createTransportChoice } from './transport-choice.ts';
import { createWatch, type Fetcher, type TopicUpdate } from './watch.ts';
import { openWebSocket, type WebSocketClass } from './websocket-connection.ts';

export type { TokenOption } from './token-connection.ts';
export type { Status, TransportName } from './transport.ts';
export type { Fetcher, FetchReason, TopicUpdate } from './watch.ts';

/** What `on` hands over. */
export interface HeliographEvents {
  update: TopicUpdate;
  status: Status;
  /** The relay vouches for a topic's number: what is fetched from now on is not older. */
  subscribed: { readonly topic: string; readonly version: number };
  /** The relay refused something, or the app gave no token; `code` is one of the documented ones. */
  error: Omit<ErrorMessage, 'type'>;
}

/** What a client may be made with. */
export interface HeliographOptions {
  readonly topics?: readonly string[] | undefined;
  /** The version of each topic that the page already shows; what changed since is told. */
  readonly since?: Readonly<Record<string, number | null>> | undefined;
  /** Opens private topics. A function is called again before its token expires, and where the relay refuses it. */
  readonly token?: TokenOption | undefined;
  /** The ways to a relay that may be used; without it all. */
  readonly transports?: readonly TransportName[] | undefined;
  /**
   * Shares one line with all tabs of this origin that listen to this relay: true, or a name for those who may, such
   * as a user's. Where a browser cannot, each tab has its own.
   */
  readonly shared?: boolean | string | undefined;
  /** For Node before 22, which has none of its own: the class of the `ws` package. */
  readonly WebSocket?: unknown;
}

/** How a topic is watched. */
export interface WatchOptions {
  /** The version that the page already shows: nothing is fetched at the start. */
  readonly since?: number | null | undefined;
  /** Ends the watch. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Listens to topics on a relay, and comes back by itself whenever the line is lost: what changed meanwhile is
 * told then. Works in browsers and in Node.
 */
export class Heliograph {
  readonly #source: Source;
  readonly #topics: KnownVersions = new Map();
  readonly #handlers = new Set<readonly [event: keyof HeliographEvents, handler: (value: never) => void]>();
  /** Who wants which topic: whoever asked for it by its name, and each watch by what ends it. */
  readonly #wanted = new Map<string | (() => void), string>();
  #isClosed = false;
  #status: Status = 'connecting';

  /** `url` is the relay's address, http(s) or ws(s); in a page it may be relative to the page's. */
  constructor(url: string, options: HeliographOptions = {}) {
    for (const topic of options.topics ?? []) this.#want(topic, topic, options.since?.[topic]);
    const address = new URL(url, globalThis.location?.href).href.replace(/^ws/, 'http').replace(/\/*([?#].*)?$/, '');
    const name = `heliograph ${address} ${options.shared}`;
    const deps = {
      name,
      url: address,
      topics: this.#topics,
      open: openWithToken(options.token, openBest(name, options)),
      message: (message: ServerMessage) => this.#message(message),
      status: (status: Status) => this.#setStatus(status),
    };
    this.#source = options.shared && canShare() ? createTabSource(deps) : createConnector(deps);
    this.#source.connect();
  }

  get status(): Status {
    return this.#status;
  }

  /** Calls back on each event; returns what ends that. */
  on<E extends keyof HeliographEvents>(event: E, handler: (event: HeliographEvents[E]) => void): () => void {
    const entry = [event, handler] as const;
    this.#handlers.add(entry);
    return () => void this.#handlers.delete(entry);
  }

  /** Listens to one more topic. With `since` the relay tells at once where something changed after it. */
  subscribe(topic: string, since: number | null = null): void {
    this.#source.subscribe(this.#want(topic, topic, since));
  }

  /** Listens to a topic no more, but for watches. */
  unsubscribe(topic: string): void {
    this.#release(topic);
  }

  /**
   * Listens to a topic, and runs `fetcher` once at the start and whenever there is something to fetch: after an
   * update and its spread, never twice at a time, once more where an update came during a run, slowly while the
   * status is not `live`, and not in a hidden tab until it is shown. Returns what ends that.
   */
  watch(topic: string, fetcher: Fetcher, options: WatchOptions = {}): () => void {
    const { since = null, signal } = options;
    if (signal?.aborted || this.#isClosed) return () => {};
    const stop = () => {
      for (const end of ends.splice(0)) end();
      this.#release(stop);
    };
    const isAsked = this.#topics.has(topic);
    const asked = this.#want(stop, topic, since);
    const watch = createWatch(fetcher);
    const ends = [
      watch.stop,
      this.on('update', (update) => update.topic === topic && watch.told(update)),
      this.on('subscribed', (subscribed) => subscribed.topic === topic && watch.subscribed()),
      this.on('status', watch.status),
      () => signal?.removeEventListener('abort', stop),
    ];
    watch.status(this.status);
    if (since === null) watch.start();
    if (this.status === 'live' && this.#topics.get(topic)) watch.subscribed();
    if (since !== null || !isAsked) this.#source.subscribe(asked);
    signal?.addEventListener('abort', stop);
    return stop;
  }

  /** Ends everything, watches too; no handler is called after the last status. */
  close(): void {
    this.#isClosed = true;
    this.#source.close();
    this.#handlers.clear();
    for (const by of this.#wanted.keys()) if (typeof by === 'function') by();
  }

  /** Notes who wants a topic, and from which version on; answers what to ask for. */
  #want(by: string | (() => void), topic: string, since: number | null = null): KnownVersions {
    if (!isTopic(topic)) throw new TypeError(`no topic: ${topic}`);
    const known = since ?? this.#topics.get(topic) ?? null;
    this.#topics.set(topic, known);
    this.#wanted.set(by, topic);
    return new Map([[topic, known]]);
  }

  #release(by: string | (() => void)): void {
    const topic = this.#wanted.get(by) as string;
    this.#wanted.delete(by);
    const isWanted = [...this.#wanted.values()].includes(topic);
    if (!isWanted && this.#topics.delete(topic)) this.#source.unsubscribe([topic]);
  }

  #message(message: ServerMessage): void {
    learn(this.#topics, message);
    const { type, ...content } = message;
    if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version !== null && this.#topics.has(topic)) this.#tell('subscribed', { topic, version });
      }
    } else if (type === 'update' || type === 'error') {
      const { topic } = message as TopicUpdate | ErrorMessage;
      if (topic === undefined || this.#topics.has(topic)) this.#tell(type, content as TopicUpdate & ErrorMessage);
    }
  }

  #setStatus(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#tell('status', status);
  }

  #tell<E extends keyof HeliographEvents>(event: E, value: HeliographEvents[E]): void {
    for (const [name, handler] of [...this.#handlers]) {
      if (name !== event) continue;
      try {
        handler(value as never);
      } catch (error) {
        console.error(error);
      }
    }
  }
}

function openBest(key: string, options: HeliographOptions): OpenConnection<TokenConnection> {
  const Socket = (options.WebSocket ?? globalThis.WebSocket) as WebSocketClass | undefined;
  const all: [TransportName, OpenConnection<TokenConnection> | undefined][] = [
    ['websocket', Socket && ((line) => openWebSocket(Socket, line))],
    ['sse', openSse],
    ['longpoll', openLongPoll],
  ];
  const openers = all.filter(([name, open]) => open && (options.transports ?? [name]).includes(name));
  if (openers.length === 0) throw new TypeError('no transport');
  return createTransportChoice({ openers: openers as [TransportName, OpenConnection<TokenConnection>][], key });
}
