import type { ServerMessage } from '../shared/protocol/server-message.ts';

/** The ways to a relay, best first. */
export type TransportName = 'websocket' | 'sse' | 'longpoll';

/** A topic's newest known version, or null. */
export type Known = ReadonlyMap<string, number | null>;

/**
 * One line to a relay, from the first try to its end. Whatever the transport, it speaks the messages of `/ws`.
 * After `close` it tells nothing more.
 */
export interface Line {
  subscribe(topics: Known): void;
  unsubscribe(topics: readonly string[]): void;
  /** Asks for a sign of life, where the transport cannot wait for one. */
  ping(): void;
  /** Renews the token. */
  auth(token: string): void;
  close(): void;
}

/** What a line is opened with. */
export interface LineOptions {
  /** The relay's address, `http:` or `https:`, without a slash at its end. */
  readonly url: string;
  readonly topics: Known;
  readonly token: string | undefined;
  message(message: ServerMessage): void;
  /**
   * Told once, at the end: the close code of a WebSocket and its reason, or what means the same. Not told after
   * `close`, and never before `open` has returned.
   */
  closed(code: number, reason: string): void;
}

/** Begins to connect. */
export type OpenLine = (options: LineOptions) => Line;
