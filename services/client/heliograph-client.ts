import type { ErrorMessage, ServerMessage } from '../shared/protocol/server-message.ts';
import { parseVersions, VERSION_HEADER } from '../shared/protocol/version-header.ts';
import { isTopic } from '../shared/update/topic.ts';
import { isVersion } from '../shared/update/update.ts';
import { createConnector } from './connector.ts';
import { type KnownVersions, recordVersions } from './known-versions.ts';
import { openLongPoll } from './long-poll-connection.ts';
import { openSse } from './sse-connection.ts';
import { canShare, createTabSource } from './tab-source.ts';
import { WRITE_HOLD_MS } from './timings.ts';
import { openWithToken, type TokenOption } from './token-connection.ts';
import type { OpenConnection, Source, Status, TransportConnection, TransportName } from './transport.ts';
import { createTransportChoice } from './transport-choice.ts';
import { createWatch, type Fetcher, type KnownVersion, type TopicUpdate, type Watch } from './watch.ts';
import { openWebSocket, type WebSocketClass } from './websocket-connection.ts';

export type { TokenOption } from './token-connection.ts';
export type { Status, TransportName } from './transport.ts';
export type { Fetcher, FetchReason, TopicUpdate } from './watch.ts';

/** The events of a client, each with the value that its handlers receive. */
export interface HeliographEvents {
  /** A topic changed. */
  update: TopicUpdate;
  /** The status changed. */
  status: Status;
  /** The relay confirmed the current version of a topic: content fetched from now on is at least as new. */
  subscribed: { readonly topic: string; readonly version: number };
  /** Something failed. Without a handler it is logged to the console. */
  error: HeliographError;
}

/**
 * A failure. The relay rejected the client, or only `topic` if it is set: `code` is one of the documented error codes. Or the
 * app failed: `token_failed`, `fetch_failed` or `content_behind`.
 */
export interface HeliographError {
  readonly code: string;
  readonly topic?: string | undefined;
  /** What the fetcher threw, if `code` is `fetch_failed`. */
  readonly error?: unknown;
  /** The version of the response, if `code` is `content_behind`. */
  readonly version?: number;
  /** The version that it should have at least. */
  readonly expected?: number;
}

/** Events for watches only. */
interface WatchEvents extends HeliographEvents {
  known: KnownVersion;
  wake: undefined;
  close: undefined;
}

/** Options of a client; all are optional. */
export interface HeliographOptions {
  /** Topics to subscribe to from the start. Default: none. */
  readonly topics?: readonly string[] | undefined;
  /** The version of each topic that the page shows already. A topic that changed since then causes an update at once. */
  readonly since?: Readonly<Record<string, number | null>> | undefined;
  /**
   * Grants access to private topics. A function is called again before its token expires, and after the relay has
   * rejected it. Default: no token.
   */
  readonly token?: TokenOption | undefined;
  /** The transports that may be used, in the order `websocket`, `sse`, `longpoll`. Default: all. */
  readonly transports?: readonly TransportName[] | undefined;
  /**
   * Shares one connection with all tabs of this origin: with `true` all that use this relay, with a string, such as the
   * user's id, only those with the same string. Ignored if the browser cannot do that. Default: false.
   */
  readonly shared?: boolean | string | undefined;
  /** The class of the `ws` package, for Node before 22. Default: the global `WebSocket`. */
  readonly WebSocket?: unknown;
}

/** Options of a watch. */
export interface WatchOptions {
  /** The version that the page shows already: the fetcher does not run at the start. Default: null, it does. */
  readonly since?: number | null | undefined;
  /** Ends the watch when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client that subscribes to topics on a relay, in browsers and in Node. It reconnects by itself, and after each outage
 * delivers the newest version of every topic that changed meanwhile.
 *
 * @example
 * ```js
 * const heliograph = new Heliograph('https://push.example.org', { topics: ['price'] });
 * heliograph.on('update', ({ topic, version, data }) => console.log(topic, version, data));
 * heliograph.watch('chat', async ({ signal }) => show(await fetch('/comments', { signal })));
 * ```
 */
export class Heliograph {
  readonly #source: Source;
  readonly #topics: KnownVersions = new Map();
  readonly #handlers = new Set<readonly [event: keyof WatchEvents, handler: (value: never) => void]>();
  /** The topic of each subscriber: a topic's own name if subscribed by name, or a watch. */
  readonly #subscribers = new Map<string | Watch, string>();
  /** The writes in progress, for which runs wait. */
  readonly #writes = new Set<unknown>();
  #isClosed = false;
  #status: Status = 'connecting';

  /**
   * Begins to connect.
   *
   * @param url the relay's address: `http:`, `https:`, `ws:` or `wss:`; in a page it may be relative to the page
   * @throws {TypeError} if the address or a topic is invalid, or no transport
   */
  constructor(url: string, options: HeliographOptions = {}) {
    const since = new Map(Object.entries(options.since ?? {})); // no topic may name a property of all objects
    for (const topic of options.topics ?? []) this.#addSubscriber(topic, topic, since.get(topic));
    const address = new URL(url, globalThis.location?.href).href.replace(/^ws/, 'http').replace(/\/*([?#].*)?$/, '');
    const name = `heliograph ${address} ${options.shared}`;
    const deps = {
      name,
      url: address,
      topics: this.#topics,
      open: openWithToken(options.token, openAnyTransport(name, options)),
      message: (message: ServerMessage) => this.#message(message),
      status: (status: Status) => this.#setStatus(status),
    };
    this.#source = options.shared && canShare() ? createTabSource(deps) : createConnector(deps);
    this.#source.connect();
  }

  /** The current status. */
  get status(): Status {
    return this.#status;
  }

  /**
   * Registers a handler. A handler that throws does not affect others: its error is logged to the console.
   *
   * @returns a function that removes the handler
   * @example
   * ```js
   * const stop = heliograph.on('status', (status) => console.log(status));
   * ```
   */
  on<E extends keyof HeliographEvents>(event: E, handler: (event: HeliographEvents[E]) => void): () => void {
    const entry = [event, handler] as const;
    this.#handlers.add(entry);
    return () => void this.#handlers.delete(entry);
  }

  /**
   * Subscribes to one more topic.
   *
   * @param since a version: if the topic changed after it, an update follows at once
   * @throws {TypeError} if the topic is invalid
   */
  subscribe(topic: string, since: number | null = null): void {
    this.#source.subscribe(this.#addSubscriber(topic, topic, since));
  }

  /** Ends the subscription made by name, with `subscribe` or `topics`; watches of the topic continue. */
  unsubscribe(topic: string): void {
    this.#removeSubscriber(topic);
  }

  /**
   * Subscribes to a topic and runs `fetcher` at the start and whenever its content may have changed: after an update and
   * a random part of its spread, one run at a time, and every 15 to 30 s while the status is not `live`. In a hidden tab it
   * runs once the tab is shown.
   *
   * @returns a function that ends the watch
   * @throws {TypeError} if the topic is invalid
   * @example
   * ```js
   * const stop = heliograph.watch('chat', async ({ signal, update }) => {
   *   show(update?.data ?? (await (await fetch('/comments', { signal })).json()));
   * });
   * ```
   */
  watch(topic: string, fetcher: Fetcher, options: WatchOptions = {}): () => void {
    const { since = null, signal } = options;
    if (signal?.aborted || this.#isClosed) return () => {};
    const runs = createWatch({
      topic,
      fetcher,
      since: since ?? 0,
      isHeld: () => this.#writes.size > 0,
      report: (error) => this.#emit('error', { topic, ...error }),
    });
    const stop = () => {
      for (const end of ends.splice(0)) end();
      this.#removeSubscriber(runs);
    };
    const isSubscribed = this.#topics.has(topic);
    const added = this.#addSubscriber(runs, topic, since);
    const ends = [
      runs.stop,
      this.on('update', runs.updated),
      this.on('subscribed', runs.subscribed),
      this.on('status', runs.status),
      this.on('known' as never, runs.known),
      this.on('wake' as never, runs.wake),
      this.on('close' as never, stop),
      () => signal?.removeEventListener('abort', stop),
    ];
    runs.status(this.status);
    if (since === null) runs.start();
    const version = this.#topics.get(topic);
    if (this.status === 'live' && version) runs.subscribed({ topic, version });
    if (since !== null || !isSubscribed) this.#source.subscribe(added);
    signal?.addEventListener('abort', stop);
    return stop;
  }

  /**
   * Says that the page shows this version of a topic already, as after its own write: watches do not fetch it. With
   * `previous`, only watches do that have shown that version before: others may have missed an update in between.
   *
   * @param known.previous the version before, as the webhook answered it
   * @throws {TypeError} if the topic or a version is invalid
   */
  known(topic: string, version: number, known: { readonly previous?: number | undefined } = {}): void {
    requireTopic(topic);
    const { previous = version } = known;
    if (!isVersion(version) || !isVersion(previous)) throw new TypeError(`invalid version: ${[version, previous]}`);
    this.#emit('known', { topic, version, previous: known.previous });
  }

  /**
   * Fetches from the app, and reads the header `Heliograph-Version` of its response. For a write (any method but GET and
   * HEAD) that is what the page then shows, see `known`; watches wait for the response, for 2 s at most. In a fetcher, with
   * its `signal`, it is the version of the content: if that is older than the update, the fetcher runs again.
   *
   * Takes the arguments of the global `fetch`. Responses of caches are revalidated unless `init.cache` says otherwise.
   */
  async fetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const isRead = /^(get|head)$/i.test(init.method ?? (input as Request).method ?? 'get');
    const release = () => {
      clearTimeout(timer);
      this.#writes.delete(timer);
      this.#emit('wake', undefined);
    };
    const timer = setTimeout(release, WRITE_HOLD_MS);
    if (!isRead) this.#writes.add(timer);
    try {
      const response = await fetch(input, { cache: 'no-cache', ...init });
      const { signal } = init;
      for (const version of parseVersions(response.headers.get(VERSION_HEADER))) {
        if (!isRead && version.previous !== undefined) this.#emit('known', version);
        if (isRead && signal) this.#emit('known', { ...version, signal });
      }
      return response;
    } finally {
      release();
    }
  }

  /** Closes the connection and ends all watches. Handlers receive the status `offline`, and nothing after that. */
  close(): void {
    this.#isClosed = true;
    this.#source.close();
    this.#emit('close', undefined);
    this.#handlers.clear();
  }

  /** Records a subscriber. Returns its topic with the version from which to subscribe: the oldest that any subscriber has. */
  #addSubscriber(subscriber: string | Watch, topic: string, since: number | null = null): KnownVersions {
    requireTopic(topic);
    const held = this.#topics.get(topic) ?? since;
    const known = since === null || held === null ? held : Math.min(held, since);
    this.#topics.set(topic, known);
    this.#subscribers.set(subscriber, topic);
    return new Map([[topic, known]]);
  }

  /** Removes a subscriber, and unsubscribes from its topic if it was the last one. */
  #removeSubscriber(subscriber: string | Watch): void {
    const topic = this.#subscribers.get(subscriber) as string;
    this.#subscribers.delete(subscriber);
    const isUsed = [...this.#subscribers.values()].includes(topic);
    if (!isUsed && this.#topics.delete(topic)) this.#source.unsubscribe([topic]);
  }

  #message(message: ServerMessage): void {
    recordVersions(this.#topics, message);
    const { type, ...content } = message;
    if (message.type === 'subscribed') {
      for (const [topic, version] of Object.entries(message.topics)) {
        if (version !== null && this.#topics.has(topic)) this.#emit('subscribed', { topic, version });
      }
    } else if (type === 'update' || type === 'error') {
      const { topic } = message as TopicUpdate | ErrorMessage;
      if (topic === undefined || this.#topics.has(topic)) this.#emit(type, content as TopicUpdate & ErrorMessage);
    }
  }

  #setStatus(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#emit('status', status);
  }

  #emit<E extends keyof WatchEvents>(event: E, value: WatchEvents[E]): void {
    const handlers = [...this.#handlers].filter(([name]) => name === event);
    if (event === 'error' && handlers.length === 0) {
      console[(value as HeliographError).error ? 'error' : 'warn']('Heliograph', value);
    }
    for (const [, handler] of handlers) {
      try {
        handler(value as never);
      } catch (error) {
        console.error(error);
      }
    }
  }
}

function requireTopic(topic: string): void {
  if (!isTopic(topic)) throw new TypeError(`invalid topic: ${topic} (use 1 to 128 of A-Z a-z 0-9 . _ ~ : / -)`);
}

/** Returns a function that opens connections over the permitted transports that this environment has. */
function openAnyTransport(key: string, options: HeliographOptions): OpenConnection<TransportConnection> {
  const Socket = (options.WebSocket ?? globalThis.WebSocket) as WebSocketClass | undefined;
  const all: [TransportName, OpenConnection<TransportConnection> | undefined][] = [
    ['websocket', Socket && ((connection) => openWebSocket(Socket, connection))],
    ['sse', openSse],
    ['longpoll', openLongPoll],
  ];
  const openers = all.filter(([name, open]) => open && (options.transports ?? [name]).includes(name));
  if (openers.length === 0) throw new TypeError('no transport');
  return createTransportChoice({ openers: openers as [TransportName, OpenConnection<TransportConnection>][], key });
}
