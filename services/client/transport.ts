import type { ServerMessage } from '../shared/protocol/server-message.ts';

/** The ways to a relay, best first. */
export type TransportName = 'websocket' | 'sse' | 'longpoll';

/**
 * `connecting`: a line is being made. `live`: the relay vouches for what it says. `stale`: it cannot at the
 * moment. `offline`: there is no line, and none is being made just now.
 */
export type Status = 'connecting' | 'live' | 'stale' | 'offline';

/** A topic's newest known version, or null. */
export type TopicVersions = ReadonlyMap<string, number | null>;

/** The close code of a line that ended without a word (RFC 6455, section 7.1.5). */
export const ABNORMAL_CLOSURE = 1006;

/**
 * One line to a relay, from the first try to its end. Whatever the transport, it speaks the messages of `/ws`.
 * After `close` it tells nothing more.
 */
export interface Connection {
  subscribe(topics: TopicVersions): void;
  unsubscribe(topics: readonly string[]): void;
  /** Asks for a sign of life, where the transport cannot wait for one. */
  ping(): void;
  close(): void;
}

/** A line that shows a token, which can be renewed. */
export interface TokenConnection extends Connection {
  auth(token: string): void;
}

/** What a line is opened with. */
export interface ConnectionOptions {
  /** The relay's address, `http:` or `https:`, without a slash at its end. */
  readonly url: string;
  /** What to listen to: kept up to date by its owner. */
  readonly topics: TopicVersions;
  readonly token?: string | undefined;
  message(message: ServerMessage): void;
  /**
   * Told once, at the end: the close code of a WebSocket and its reason, or what means the same. Not told after
   * `close`, and never before `open` has returned.
   */
  closed(code: number, reason: string): void;
}

/** Begins to connect. */
export type OpenConnection<L extends Connection = Connection> = (options: ConnectionOptions) => L;

/** What keeps topics told, whatever happens to its lines. */
export interface Source {
  /** Begins to connect, unless that is so already. */
  connect(): void;
  /** The network or the tab came back: looks at once whether the line is alive, or makes one. */
  wake(): void;
  /** Asks for topics that its owner knows of, from these versions on. */
  subscribe(topics: TopicVersions): void;
  unsubscribe(topics: readonly string[]): void;
  /** Ends for good. */
  close(): void;
}
