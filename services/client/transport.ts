import type { ServerMessage } from '../shared/protocol/server-message.ts';

/** The transports of the library, best first. */
export type TransportName = 'websocket' | 'sse' | 'longpoll';

/**
 * State of the connection.
 *
 * - `connecting`: a connection is being opened, or the relay has not confirmed all topics yet.
 * - `live`: the relay has confirmed that it is current.
 * - `stale`: connected, but the relay cannot guarantee that it has seen every change.
 * - `offline`: not connected; a retry may be scheduled.
 */
export type Status = 'connecting' | 'live' | 'stale' | 'offline';

/** The newest known version of each topic, or null. */
export type TopicVersions = ReadonlyMap<string, number | null>;

/** Close code of a connection that ended without a close frame (RFC 6455, section 7.1.5). */
export const ABNORMAL_CLOSURE = 1006;

/**
 * One connection to a relay, from the attempt to its end. Over any transport it delivers the messages of `/ws`. It calls
 * nothing back after `close`.
 */
export interface Connection {
  subscribe(topics: TopicVersions): void;
  unsubscribe(topics: readonly string[]): void;
  /** Makes the relay send something, so that a dead connection is noticed. */
  ping(): void;
  close(): void;
}

/** A connection over one transport, on which a renewed token can be sent. */
export interface TransportConnection extends Connection {
  auth(token: string): void;
}

/** Options of a connection. */
export interface ConnectionOptions {
  /** The relay's address, `http:` or `https:`, without a trailing slash. */
  readonly url: string;
  /** The subscribed topics; the owner keeps the map up to date. */
  readonly topics: TopicVersions;
  readonly token?: string | undefined;
  /** How often the client connects again at once if a relay refuses it because others have fewer clients. */
  readonly triesLeft: number;
  message(message: ServerMessage): void;
  /**
   * Called once, at the end, with a WebSocket close code and reason, or their equivalent on other transports; not after
   * `close`, and never before `open` has returned.
   */
  closed(code: number, reason: string): void;
}

/** Begins to open a connection. */
export type OpenConnection<C extends Connection = Connection> = (options: ConnectionOptions) => C;

/** Delivers the messages of a set of topics across connections. */
export interface Source {
  /** Opens a connection, unless there is one. */
  connect(): void;
  /** Checks at once whether the connection is alive, or opens one: the network or the tab is back. */
  wake(): void;
  /** Subscribes to topics from these versions on. The owner has added them to its map. */
  subscribe(topics: TopicVersions): void;
  unsubscribe(topics: readonly string[]): void;
  /** Ends for good. */
  close(): void;
}
